"""Doors: decode, call, encode."""
