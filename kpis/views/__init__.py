"""Pages about KPIs."""
