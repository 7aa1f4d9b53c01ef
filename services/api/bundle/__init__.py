"""A final job as one archive: what is in it, and how it is written while it is read."""
