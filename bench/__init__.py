"""What clew costs, as ratios measured in one run: `python -m bench core`. Nothing here is shipped."""
