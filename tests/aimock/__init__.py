"""The model side against aimock, a mock server not written here; run by `make aimock`."""
