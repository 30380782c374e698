"""What changes misses, improvement actions and meetings."""
