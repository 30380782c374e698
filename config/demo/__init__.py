"""The demo: two companies whose data arrives the way a client's data does."""
