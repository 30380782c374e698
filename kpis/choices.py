"""The closed lists of this floor; values are lower-case codes that API and database share."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Grain(TextChoices):
    WEEK = "week", _("Week")
    MONTH = "month", _("Month")
    QUARTER = "quarter", _("Quarter")
    HALF = "half", _("Half year")
    YEAR = "year", _("Year")


class PeriodState(TextChoices):
    OPEN = "open", _("Open")
    PROVISIONAL = "provisional", _("Provisional")
    CLOSED = "closed", _("Closed")


class RestatementVerdict(TextChoices):
    """What is done about a closed number that would be another one today."""

    APPROVED = "approved", pgettext_lazy("of a restatement", "Approved")
    REFUSED = "refused", pgettext_lazy("of a restatement", "Refused")


class Outcome(TextChoices):
    OPEN = "open", _("Open deal")
    WON = "won", _("Won")
    LOST = "lost", _("Lost")
    NO_DECISION = "no_decision", _("No decision")
    VOID = "void", _("Void")


class Origin(TextChoices):
    LEAD = "lead", _("Lead")
    SALES_GENERATED = "sales_generated", _("Sales generated")
    REFERRAL = "referral", _("Referral")
    EXISTING = "existing", _("Existing customer")
    PARTNER = "partner", _("Partner")
    UNKNOWN = "unknown", _("Unknown")


class LinkRule(TextChoices):
    """What says that a deal came from a lead (kpis.engine.joining.LINK_RULES), or the person who chose it."""

    CONVERTED = "converted", _("Converted id: the lead names the deal")
    EXTERNAL_ID = "external_id", _("External id: the deal names the lead")
    EMAIL = "email", _("The same e-mail address")
    DOMAIN = "domain", _("The same company (account or domain of the e-mail)")
    PERSON = "person", _("Chosen by a person")


class PersonRule(TextChoices):
    """What says that two people of different sources are one person."""

    EMAIL = "email", _("The same e-mail address")
    PERSON = "person", _("Said by a person")


class ExclusionReason(TextChoices):
    """Why a lead is kept out of the count."""

    DUPLICATE = "duplicate", _("Duplicate")
    SCAN = "scan", _("Card scan")


class ExclusionVerdict(TextChoices):
    """What a person said about a lead that was kept out of the count."""

    COUNTED = "counted", _("Counted")
    LEFT_OUT = "left_out", _("Left out")


class Credit(TextChoices):
    REVENUE = "revenue", _("Revenue credit")
    OVERLAY = "overlay", _("Overlay credit")


class Unit(TextChoices):
    COUNT = "count", _("Count")
    AMOUNT = "amount", _("Amount")
    PERCENT = "percent", _("Percent")
    DAYS = "days", _("Days")
    SCORE = "score", _("Score")
    RATIO = "ratio", _("Multiple")


class Direction(TextChoices):
    UP = "up", _("Higher is better")
    DOWN = "down", _("Lower is better")
    RANGE = "range", _("Within a range")


class AchievementFormula(TextChoices):
    """How achievement is counted where lower is better."""

    DIFFERENCE = "difference", _("2 − actual ÷ target")
    RATIO = "ratio", _("Target ÷ actual")


class Accumulation(TextChoices):
    SUM = "sum", _("Sum")
    RATE = "rate", _("Rate")
    AVERAGE = "average", _("Average")
    STOCK = "stock", _("Stock")


class Level(TextChoices):
    KGI = "kgi", _("KGI")
    KSF = "ksf", _("KSF")
    KPI = "kpi", _("KPI")


class Link(TextChoices):
    FORMULA = "formula", _("Formula")
    LAGGED = "lagged", _("With a time lag")
    INFLUENCE = "influence", _("Influence")


class Style(TextChoices):
    NEW_BUSINESS = "new_business", _("New business")
    ROUTE_SALES = "route_sales", _("Route sales")
    INSIDE_SALES = "inside_sales", _("Inside sales and ABM")
    REFERRAL = "referral", _("Referral")


class TargetLine(TextChoices):
    BUDGET = "budget", _("Budget")
    TARGET = "target", _("Target")
    STRETCH = "stretch", _("Stretch target")


class BackCalculationScenario(TextChoices):
    """How well things are taken to go in a back-calculation; the values are the engine's."""

    CAUTIOUS = "cautious", _("Cautious")
    STANDARD = "standard", _("Standard")
    AMBITIOUS = "ambitious", _("Ambitious")


class SpreadMethod(TextChoices):
    """How targets of single periods are proposed."""

    EVEN = "even", _("Evenly")
    BUSINESS_DAYS = "business_days", _("By business days")
    SEASONALITY = "seasonality", _("As in past years")
    FROM_DATE = "from_date", _("The same from a period on")
    CARRY_FORWARD = "carry_forward", _("Carry what is missing forward")
    PRORATE = "prorate", _("Prorate by joining and leaving")
    HAND_OVER = "hand_over", _("Hand over what is left")


class RequestStatus(TextChoices):
    """Where a target change request stands."""

    WAITING = "waiting", _("Waiting for approval")
    APPROVED = "approved", _("Approved")
    RETURNED = "returned", _("Returned")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class RequestVerdict(TextChoices):
    """What one person said about a target change request."""

    APPROVED = "approved", _("Approved")
    RETURNED = "returned", _("Returned")


class TreeStatus(TextChoices):
    DRAFT = "draft", _("Draft")
    ACTIVE = "active", _("Active")
    RETIRED = "retired", _("Retired")


class OfferOutcome(TextChoices):
    """What came of a template's version in a company."""

    DRAFTED = "drafted", _("A draft was made")
    OFFERED = "offered", _("Waits for the company")
    UNCHANGED = "unchanged", _("Nothing to change")


class BenchmarkVerdict(TextChoices):
    CONSULTED = "consulted", _("Benchmark consulted")
    OWN_HISTORY = "own_history", _("Own history preferred")


class SnapshotMeasure(TextChoices):
    """What is noted once a day because nobody can compute it later (kpis.engine.specs.SNAPSHOT_MEASURES)."""

    OPEN_PIPELINE = "open_pipeline", _("Open pipeline")
    OPEN_DEALS = "open_deals", _("Open deals")
    COVERAGE = "coverage", _("Pipeline coverage")
    RENEWAL_DUE = "renewal_due", _("Contracts due for renewal")
    ORDER_BACKLOG = "order_backlog", _("Order backlog")
    LANDING_PACE = "landing_pace", _("Landing by pace")
    LANDING_ROLLUP = "landing_rollup", _("Landing by confidence roll-up")
    LANDING_CALL = "landing_call", _("Landing by the manager's call")


class EntryAbsence(TextChoices):
    """What a person may say in place of a value; the codes are those of kpis.engine.values.Absence."""

    NO_DENOMINATOR = "no_denominator", _("No cases")
    NOT_APPLICABLE = "not_applicable", _("Not applicable")
    MISSING = "missing", _("No data")


class EnteredFor(TextChoices):
    """For whom the values of a typed KPI are asked, beside those of the company; the codes are dimensions."""

    COMPANY = "company", _("The company only")
    TEAM = "team", _("Each team too")
    PERSON = "person", _("Each person too")


class ParallelOutcome(TextChoices):
    """Where a parallel check of a typed and an automatic value stands."""

    RUNNING = "running", _("Being compared")
    SWITCHED = "switched", _("Switched to automatic")
    STOPPED = "stopped", _("Ended without a switch")


class DimensionCode(TextChoices):
    """The built-in dimensions, and up to five that the company names itself."""

    COMPANY = "company", _("Company")
    TEAM = "team", _("Team")
    PERSON = "person", _("Person in charge")
    REGION = "region", _("Region")
    PRODUCT = "product", _("Product")
    LEAD_SOURCE = "lead_source", _("Lead source")
    SALES_CHANNEL = "sales_channel", _("Sales channel")
    PARTNER = "partner", _("Partner")
    CUSTOMER_TYPE = "customer_type", _("Customer type")
    SEG1 = "seg1", _("Segment 1")
    SEG2 = "seg2", _("Segment 2")
    SEG3 = "seg3", _("Segment 3")
    SEG4 = "seg4", _("Segment 4")
    SEG5 = "seg5", _("Segment 5")


# Who can move a number, and how far.
DEPARTMENTS = ("marketing", "inside_sales", "field_sales", "account_owner", "customer_success")
DEGREES = ("full", "partial", "none")

DIMENSIONS = tuple(code.value for code in DimensionCode if code != DimensionCode.COMPANY)
SEGMENTS = ("seg1", "seg2", "seg3", "seg4", "seg5")
VALUE_DIMENSIONS = ("region", "lead_source", "sales_channel", "partner", "customer_type")
UNASSIGNED = "unassigned"
