"""`python -m clew.cli` is the `clew` command."""

from __future__ import annotations

from . import main

main()
