"""Faithful stand-ins for the systems that data comes from: stateful servers, each in its vendor's dialect."""
