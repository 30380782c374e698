"""Reads of misses, improvement actions and meetings."""
