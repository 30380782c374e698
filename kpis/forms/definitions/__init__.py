"""The form of a metric's definition."""

from kpis.forms.definitions.form import SAVE, DefinitionForm
from kpis.forms.definitions.offers import FIRST
from kpis.forms.definitions.typed import Typed, typed_of
from kpis.forms.definitions.words import RATE, USUAL

__all__ = ["FIRST", "RATE", "SAVE", "USUAL", "DefinitionForm", "Typed", "typed_of"]
