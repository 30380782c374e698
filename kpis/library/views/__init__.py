"""The library's pages on the console's host."""
