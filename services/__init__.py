"""One package per process kind; none imports another."""
