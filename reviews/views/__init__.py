"""Pages of misses, improvement actions and meetings."""
