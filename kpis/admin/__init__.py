"""Every model of this floor in the admin site."""

from kpis.admin import (
    calendar,
    definitions,
    dimensions,
    facts,
    fitness,
    forecasts,
    handover,
    inputs,
    joining,
    measures,
    organisation,
    parallel,
    target_requests,
    targets,
    templates,
)

__all__ = [
    "calendar",
    "definitions",
    "dimensions",
    "facts",
    "fitness",
    "forecasts",
    "handover",
    "inputs",
    "joining",
    "measures",
    "organisation",
    "parallel",
    "target_requests",
    "targets",
    "templates",
]
