"""The embedded stack: PostgreSQL, Valkey and all services as children of one process."""
