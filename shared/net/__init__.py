"""Reaching addresses that strangers name, without reaching what only we may reach."""
