"""The words of the form: what people call the codes of a spec."""

from django.utils.translation import gettext_lazy

from kpis.choices import Accumulation, Unit

DAYS = "(days)"  # no field can be called this: the days between two dates
KINDS = {
    "simple": gettext_lazy("Count, sum or average of records"),
    "ratio": gettext_lazy("One count or sum divided by another"),
    "conversion": gettext_lazy("Conversion: how many reach a later stage"),
    "retention": gettext_lazy("Retention: churn, GRR, NRR, renewals"),
    "repeat": gettext_lazy("Customers by purchases: repeating, new, dormant"),
    "clv": gettext_lazy("Customer lifetime value"),
    "score": gettext_lazy("Survey score (NPS, CSAT)"),
    "snapshot": gettext_lazy("Written down once a day (pipeline, coverage, landing)"),
    "formula": gettext_lazy("Formula of other metrics"),
    "manual": gettext_lazy("Entered by hand"),
}
# Unit and accumulation with which a metric of a kind begins.
USUAL = {
    "simple": (Unit.COUNT, Accumulation.SUM),
    "clv": (Unit.AMOUNT, Accumulation.AVERAGE),
    "score": (Unit.SCORE, Accumulation.RATE),
    "snapshot": (Unit.AMOUNT, Accumulation.STOCK),
    "manual": (Unit.COUNT, Accumulation.SUM),
}
RATE = (Unit.PERCENT, Accumulation.RATE)
AGGREGATES = {
    "count": gettext_lazy("Number"),
    "sum": gettext_lazy("Sum"),
    "average": gettext_lazy("Average"),
    "median": gettext_lazy("Median"),
    "distinct": gettext_lazy("Number of different ones"),
}
OPERATORS = {
    "eq": gettext_lazy("is"),
    "in": gettext_lazy("is one of"),
    "ne": gettext_lazy("is not"),
    "not_in": gettext_lazy("is none of"),
    "gt": gettext_lazy("is more than"),
    "gte": gettext_lazy("is at least"),
    "lt": gettext_lazy("is less than"),
    "lte": gettext_lazy("is at most"),
    "contains": gettext_lazy("contains"),
    "is_null": gettext_lazy("is empty"),
    "is_known": gettext_lazy("is known"),
}
SEVERAL, NOTHING = ("in", "not_in"), ("is_null", "is_known")
BASES = {
    "cohort": gettext_lazy("Of those that entered in the period"),
    "period": gettext_lazy("Entries of the period, whoever they are"),
}
RETENTION = {
    "logo_churn": gettext_lazy("Customer churn"),
    "gross_churn": gettext_lazy("Gross revenue churn"),
    "net_churn": gettext_lazy("Net revenue churn"),
    "grr": gettext_lazy("GRR"),
    "nrr": gettext_lazy("NRR"),
    "renewal_rate": gettext_lazy("Renewal rate"),
}
REPEAT = {
    "rate": gettext_lazy("Repeat rate"),
    "new": gettext_lazy("Number of new customers"),
    "dormant": gettext_lazy("Number of dormant customers"),
}
WEIGHTS = {"count": gettext_lazy("By number of contracts"), "amount": gettext_lazy("By monthly amount")}
CLV_FORMULAS = {
    "subscription": gettext_lazy("Subscription: MRR × margin ÷ churn"),
    "frequency": gettext_lazy("Frequency: unit price × purchases × years"),
    "historic": gettext_lazy("To date: gross profit so far per customer"),
}
SURVEYS = {"nps": gettext_lazy("NPS"), "csat": gettext_lazy("Customer satisfaction (CSAT)")}
LABELS = {
    "fact": gettext_lazy("Records"),
    "date": gettext_lazy("Dated by"),
    "aggregate": gettext_lazy("What is computed"),
    "field": gettext_lazy("Of which field"),
    "days_between": gettext_lazy("From which date to which"),
    "credit": gettext_lazy("Credit"),
    "min_count": gettext_lazy("Fewest cases to be told"),
    "from": gettext_lazy("From stage"),
    "to": gettext_lazy("To stage"),
    "basis": gettext_lazy("Counted by"),
    "window_days": gettext_lazy("Within how many days"),
    "origin": gettext_lazy("Origin of the deals"),
    "measure": gettext_lazy("Measure"),
    "weight": gettext_lazy("Weight"),
    "window_months": gettext_lazy("Over how many months"),
    "formula": gettext_lazy("Way of computing"),
    "years": gettext_lazy("Years at most"),
    "survey": gettext_lazy("Survey"),
    "expression": gettext_lazy("Formula"),
}
TYPES = {
    "text": gettext_lazy("text"),
    "number": gettext_lazy("number"),
    "date": gettext_lazy("date"),
    "bool": gettext_lazy("yes or no"),
}
