"""Reads of the KPI floor."""
