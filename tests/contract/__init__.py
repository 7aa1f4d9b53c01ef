"""The OpenAPI document against the live services: `make contract`, and in short every test run."""
