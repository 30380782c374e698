"""Reading what is typed on the pages of this floor."""
