"""Reads of connections, runs and keys."""
