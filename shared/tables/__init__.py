"""Data tables: chunks, readers, writers, statistics; pyarrow and duckdb are used here only."""
