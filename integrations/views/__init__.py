"""Pages of the data floor."""
