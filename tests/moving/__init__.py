"""Moving in what other programs keep in Redis."""
