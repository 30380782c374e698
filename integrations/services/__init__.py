"""Writes about connections, deliveries, runs and keys."""
