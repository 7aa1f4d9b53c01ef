"""The HTTP interface: checks, stores, rings, serves; never calls a model."""
