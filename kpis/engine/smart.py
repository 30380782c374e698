"""Is a KPI specific, measurable, achievable, relevant, time-bound, and in somebody's hands?

Five facts are required before a KPI is used: definition, unit, person, first target, and a data source or a person who
enters it. One that is missing is a fault. Everything else is a remark with a proposal, to be settled within days.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from kpis.engine.issues import gettext_noop
from kpis.engine.quartiles import LEAST_MONTHS
from kpis.engine.tree import MOST_KPIS_PER_PERSON

REMARK_DAYS = 14
# Where a finding is mended.
NODE, TARGETS, DATA = "node", "targets", "data"


@dataclass(frozen=True, slots=True)
class KpiFacts:
    """What is known of one KPI on the day it is checked.

    `person` is who answers for it ("" = nobody), `has_left`: no longer with the company. `target_count` of `due_count`
    periods of the fiscal year have a target, `first_target` is the earliest. `history` are the values of complete
    months of the last year, in the metric's unit, as far as there are any. `load`: KPIs of the same person in the tree.
    """

    code: str
    name: str
    is_defined: bool = True
    unit: str = ""
    direction: str = "up"
    person: str = ""
    has_left: bool = False
    has_source: bool = True
    target_count: int = 0
    due_count: int = 0
    first_target: Decimal | None = None
    history: Sequence[Decimal] = ()
    reason: str = ""
    controllable_by: Mapping[str, str] = field(default_factory=dict)
    reaches_goal: bool = True
    load: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault or remark: what was found (the evidence), what to do (the proposal), and where it is mended."""

    kpi: str
    criterion: str
    code: str
    is_fault: bool
    evidence: str
    proposal: str
    place: str
    params: tuple[tuple[str, object], ...] = ()

    def said(self, gettext: Callable[[str], str]) -> tuple[str, str]:
        """Evidence and proposal in the language of `gettext`."""
        params = dict(self.params)
        return gettext(self.evidence) % params, gettext(self.proposal) % params


def check_kpi(kpi: KpiFacts) -> tuple[Finding, ...]:
    """Everything that is open about one KPI, faults first.

    >>> sound = KpiFacts("win_rate", "Win rate", unit="percent", person="Sato", target_count=12, due_count=12,
    ...                  first_target=Decimal("0.2"), reason="Skill", controllable_by={"field_sales": "full"})
    >>> check_kpi(sound)
    ()
    >>> [(finding.code, finding.is_fault) for finding in check_kpi(KpiFacts("x", "X", unit="count", reason="Why"))]
    [('no_person', True), ('no_target', True), ('nobody_moves_it', False)]
    """
    found = [*_faults(kpi), *_remarks(kpi)]
    return tuple(sorted(found, key=lambda finding: not finding.is_fault))


def _fault(kpi: KpiFacts, criterion: str, code: str, evidence: str, proposal: str, place: str) -> Finding:
    return Finding(kpi.code, criterion, code, True, evidence, proposal, place, _names(kpi))


def _remark(
    kpi: KpiFacts, criterion: str, code: str, evidence: str, proposal: str, place: str, **params: object
) -> Finding:
    return Finding(kpi.code, criterion, code, False, evidence, proposal, place, (*_names(kpi), *params.items()))


def _names(kpi: KpiFacts) -> tuple[tuple[str, object], ...]:
    return (("name", kpi.name), ("person", kpi.person))


def _faults(kpi: KpiFacts) -> list[Finding]:
    found = []
    if not kpi.is_defined:
        found.append(
            _fault(
                kpi,
                "specific",
                "no_definition",
                gettext_noop("%(name)s has no definition."),
                gettext_noop("Choose the metric that it is."),
                NODE,
            )
        )
    elif not kpi.unit:
        found.append(
            _fault(
                kpi,
                "measurable",
                "no_unit",
                gettext_noop("%(name)s has no unit."),
                gettext_noop("Say in which unit it is measured."),
                NODE,
            )
        )
    elif not kpi.has_source:
        found.append(
            _fault(
                kpi,
                "measurable",
                "no_source",
                gettext_noop("No data has arrived for %(name)s."),
                gettext_noop("Connect its source, or let a person enter it."),
                DATA,
            )
        )
    found += _person_faults(kpi)
    if kpi.first_target is None:
        found.append(
            _fault(
                kpi,
                "time_bound",
                "no_target",
                gettext_noop("%(name)s has no target in this fiscal year."),
                gettext_noop("Set the first target."),
                TARGETS,
            )
        )
    return found


def _person_faults(kpi: KpiFacts) -> list[Finding]:
    if not kpi.person:
        evidence = gettext_noop("Nobody answers for %(name)s.")
        return [_fault(kpi, "specific", "no_person", evidence, gettext_noop("Name a KPI owner."), NODE)]
    if kpi.has_left:
        evidence = gettext_noop("%(person)s, who answers for %(name)s, has left.")
        return [_fault(kpi, "specific", "person_left", evidence, gettext_noop("Name a new KPI owner."), NODE)]
    return []


def _remarks(kpi: KpiFacts) -> list[Finding]:
    found = []
    if not kpi.reason.strip():
        found.append(
            _remark(
                kpi,
                "specific",
                "no_reason",
                gettext_noop("%(name)s does not say why it is watched."),
                gettext_noop("Write in one sentence why the factor above it is decided here."),
                NODE,
            )
        )
    found += _target_remarks(kpi)
    if not kpi.reaches_goal:
        found.append(
            _remark(
                kpi,
                "relevant",
                "off_goal",
                gettext_noop("%(name)s does not reach the KGI through a KSF."),
                gettext_noop("Move it below the factor that it measures."),
                NODE,
            )
        )
    return [*found, *_control_remarks(kpi)]


def _target_remarks(kpi: KpiFacts) -> list[Finding]:
    found = []
    if 0 < kpi.target_count < kpi.due_count:
        found.append(
            _remark(
                kpi,
                "time_bound",
                "few_targets",
                gettext_noop("%(name)s has targets for %(count)s of %(due)s periods of the year."),
                gettext_noop("Set the targets up to the end of the year."),
                TARGETS,
                count=kpi.target_count,
                due=kpi.due_count,
            )
        )
    if kpi.first_target is None or len(kpi.history) < LEAST_MONTHS or kpi.direction == "range":
        return found
    best, worst = (max, min) if kpi.direction == "up" else (min, max)
    if best(kpi.first_target, best(kpi.history)) != best(kpi.history):
        found.append(
            _remark(
                kpi,
                "achievable",
                "beyond_history",
                gettext_noop("The target of %(name)s is beyond every month of the last year."),
                gettext_noop("Say with which action it is to be reached, or lower it."),
                TARGETS,
            )
        )
    elif worst(kpi.first_target, worst(kpi.history)) != worst(kpi.history):
        found.append(
            _remark(
                kpi,
                "achievable",
                "below_history",
                gettext_noop("The target of %(name)s is easier than every month of the last year."),
                gettext_noop("Raise it: it would be met without doing anything."),
                TARGETS,
            )
        )
    return found


def _control_remarks(kpi: KpiFacts) -> list[Finding]:
    degrees = set(kpi.controllable_by.values())
    found = []
    if not degrees & {"full", "partial"}:
        found.append(
            _remark(
                kpi,
                "controllable",
                "nobody_moves_it",
                gettext_noop("%(name)s does not say who can move it."),
                gettext_noop("Say who can move it, or choose a KPI that somebody can."),
                NODE,
            )
        )
    elif "full" not in degrees:
        found.append(
            _remark(
                kpi,
                "controllable",
                "moved_in_part",
                gettext_noop("Nobody can move %(name)s entirely."),
                gettext_noop("Add a KPI below it that one person or team can move entirely."),
                NODE,
            )
        )
    if kpi.load > MOST_KPIS_PER_PERSON:
        found.append(
            _remark(
                kpi,
                "controllable",
                "too_many",
                gettext_noop("%(person)s answers for %(count)s KPIs; at most %(most)s can be watched."),
                gettext_noop("Hand some of them over."),
                NODE,
                count=kpi.load,
                most=MOST_KPIS_PER_PERSON,
            )
        )
    return found
