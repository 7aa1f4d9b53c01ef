"""Seals finished stages, checks the ledger, finalises job records, rescues lost shards."""
