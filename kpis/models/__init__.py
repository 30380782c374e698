"""Everything that is measured: calendar, organisation, dimensions, facts, events, definitions, targets, measures."""

from kpis.models.calendar import CalendarDay, CalendarRule, CompanyHoliday, FiscalYear, Period, PeriodTransition
from kpis.models.definitions import KpiNode, KpiTree, Metric, MetricVersion
from kpis.models.dimensions import Dimension, DimensionMember
from kpis.models.facts import (
    Account,
    Activity,
    Contract,
    Deal,
    DealCredit,
    DealLine,
    DealStageEvent,
    ExchangeRate,
    Lead,
    LeadStageEvent,
    Order,
    Product,
    RevenueLine,
    SurveyResponse,
)
from kpis.models.fitness import BenchmarkReview, KpiFinding
from kpis.models.forecasts import ConfidenceRank, ForecastCall, MetricSnapshot
from kpis.models.handover import HandoverDefinition
from kpis.models.inputs import InputReminder
from kpis.models.joining import LeadExclusion, LeadLink, LeadRules
from kpis.models.measures import (
    DirtyFact,
    DirtyRange,
    KpiEvent,
    LockedCell,
    MeasureBlock,
    ShownChange,
    ValuesVersion,
)
from kpis.models.organisation import Person, PersonLink, Team, TeamLeader, TeamMembership
from kpis.models.parallel import ParallelCheck
from kpis.models.phases import DealPhase
from kpis.models.restatements import OpenRestatement, PeriodToCompare, RestatementDecision
from kpis.models.sourced import ExternalIdentity, FactChange, FactStream, UnresolvedReference
from kpis.models.target_requests import TargetRequest, TargetRequestCell, TargetRequestDecision
from kpis.models.targets import BackCalculation, ManualEntry, Target, TargetRevision
from kpis.models.templates import TemplateUse

__all__ = [
    "Account",
    "Activity",
    "BackCalculation",
    "BenchmarkReview",
    "CalendarDay",
    "CalendarRule",
    "CompanyHoliday",
    "ConfidenceRank",
    "Contract",
    "Deal",
    "DealCredit",
    "DealLine",
    "DealPhase",
    "DealStageEvent",
    "Dimension",
    "DimensionMember",
    "DirtyFact",
    "DirtyRange",
    "ExchangeRate",
    "ExternalIdentity",
    "FactChange",
    "FactStream",
    "FiscalYear",
    "ForecastCall",
    "HandoverDefinition",
    "InputReminder",
    "KpiEvent",
    "KpiFinding",
    "KpiNode",
    "KpiTree",
    "Lead",
    "LeadExclusion",
    "LeadLink",
    "LeadRules",
    "LeadStageEvent",
    "LockedCell",
    "ManualEntry",
    "MeasureBlock",
    "Metric",
    "MetricSnapshot",
    "MetricVersion",
    "OpenRestatement",
    "Order",
    "ParallelCheck",
    "Period",
    "PeriodToCompare",
    "PeriodTransition",
    "Person",
    "PersonLink",
    "Product",
    "RestatementDecision",
    "RevenueLine",
    "ShownChange",
    "SurveyResponse",
    "Target",
    "TargetRequest",
    "TargetRequestCell",
    "TargetRequestDecision",
    "TargetRevision",
    "Team",
    "TeamLeader",
    "TeamMembership",
    "TemplateUse",
    "UnresolvedReference",
    "ValuesVersion",
]
