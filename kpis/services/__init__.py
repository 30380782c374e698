"""Writes of the KPI floor."""
