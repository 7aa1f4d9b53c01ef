"""The `apwa` command: a client of the API, and the whole system on one machine."""
