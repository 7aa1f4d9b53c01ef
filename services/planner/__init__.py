"""Turns goals into plans, cuts open stages into shards and publishes them."""
