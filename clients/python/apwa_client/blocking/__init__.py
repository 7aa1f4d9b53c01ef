"""The blocking client; written from `apwa_client/aio` by `write_blocking.py`."""
