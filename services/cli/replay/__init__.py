"""Checks a job's bundle and derives its record again: no network, no database, no model."""
