"""Misses, improvement actions and meetings over REST (CONTRACT: improvement and operation)."""
