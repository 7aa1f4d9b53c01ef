"""Data tables: chunks, readers, writers, statistics; the only place that knows pyarrow and duckdb."""
