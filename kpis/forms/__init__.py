"""Reading what people send in."""
