"""Callers of the API and a plan to show numbers in, as the tests of the floor below have them."""

from tests.kpis.api.conftest import api, caller_with, plan, signed_in

__all__ = ["api", "caller_with", "plan", "signed_in"]
