"""Connectors: reading other systems. Plain Python, no Django; what goes wrong is a typed ConnectorError."""
