"""Template tags of the data floor."""
