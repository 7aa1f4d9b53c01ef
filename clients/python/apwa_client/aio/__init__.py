"""The asynchronous client; `apwa_client/blocking` is written from it."""
