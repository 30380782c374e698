"""Writes about companies and their work: lifecycle, provisioning, due work, hand-off."""
