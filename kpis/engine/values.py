"""A value of a cell: a number, or the coded reason why there is none. Missing is never zero."""

from decimal import Decimal
from enum import StrEnum


class Absence(StrEnum):
    """Why a cell has no number.

    >>> Absence("no_denominator") is Absence.NO_DENOMINATOR
    True
    """

    MISSING = "missing"
    NO_DENOMINATOR = "no_denominator"
    MATURING = "maturing"
    TOO_FEW = "too_few"
    NO_RATE = "no_rate"
    NOT_APPLICABLE = "not_applicable"
    ERROR = "error"


Value = Decimal | Absence
