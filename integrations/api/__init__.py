"""Addresses below /api/v1/ of the data floor: bulk doors and connections."""
