"""One module for each group of operations."""
