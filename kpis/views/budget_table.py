"""The table of target beside actual (予実表), and the files of it."""

from collections.abc import Sequence

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from kpis.choices import SEGMENTS, DimensionCode, TargetLine, TreeStatus
from kpis.models import KpiTree
from kpis.renderings.budgets import budget_csv, budget_workbook
from kpis.renderings.files import CSV_ENCODINGS
from kpis.selectors.budget_remarks import BudgetRemark, read_remarks
from kpis.selectors.budget_shapes import BudgetQuery, BudgetTable
from kpis.selectors.budget_table import read_budget_table
from kpis.selectors.segments import segments_in_use
from kpis.selectors.target_grid import grid_nodes
from kpis.selectors.visibility import sight_of
from kpis.templatetags.kpi import absence_text
from kpis.views.budget_pdf import budget_pdf
from kpis.views.budget_remarks import file_remarks
from kpis.views.choices import Choice, address, chosen_org, org_choices
from kpis.views.downloads import PDF_TYPE, XLSX_TYPE, attachment, data_as_of
from kpis.views.refreshing import refreshing
from kpis.views.target_grid import chosen_tree
from tenants.capabilities import Capability, has_capability, require
from tenants.settings.selectors import company_settings

PEOPLE_WISE = (DimensionCode.TEAM, DimensionCode.PERSON)


@login_required
@require_GET
@refreshing
def budget_table(request: HttpRequest) -> HttpResponse:
    """Months with quarters, halves and the year; rows are the tree, teams or people."""
    require(request.user, Capability.READ_RESULTS)
    tree = chosen_tree(request)
    if tree is None:
        return render(request, "kpis/budget_table.html", {"page": {"tree": None}})
    query = chosen_query(request, tree)
    table, remarks = _read(request, query)
    page = {
        "tree": tree,
        "trees": KpiTree.objects.exclude(status=TreeStatus.RETIRED),
        "table": table,
        "remarks": remarks,
        "nodes": grid_nodes(tree) if query.node else [],
        "rows": _row_choices(request, query),
        "modes": [
            Choice(_("Single months"), address(request, sum=None), not query.is_cumulative),
            Choice(_("Running total"), address(request, sum="1"), query.is_cumulative),
        ],
        "orgs": org_choices(request, query.dimension),
        "lines": _line_choices(request, query),
        "file_query": request.GET.urlencode(),
        "may_step": has_capability(request.user, Capability.PROVISIONAL_PERIODS),
        "may_set": has_capability(request.user, Capability.SET_TARGETS),
    }
    return render(request, "kpis/budget_table.html", {"page": page, "currency": table.currency})


@login_required
@require_GET
def budget_xlsx(request: HttpRequest) -> HttpResponse:
    """The same as a workbook with live formulas, to be printed on A3."""
    require(request.user, Capability.READ_RESULTS)
    table, remarks = _read_or_empty(request)
    scale = request.GET.get("scale", "")
    return attachment(
        budget_workbook(table, scale=scale, word=absence_text, remarks=_words(table, remarks, scale)),
        name=_file_name(table, "xlsx"),
        content_type=XLSX_TYPE,
    )


@login_required
@require_GET
def budget_as_csv(request: HttpRequest) -> HttpResponse:
    """The same as CSV: UTF-8 with BOM, or `?encoding=cp932`."""
    require(request.user, Capability.READ_RESULTS)
    table, remarks = _read_or_empty(request)
    encoding = request.GET.get("encoding", "")
    encoding = encoding if encoding in CSV_ENCODINGS else "utf-8-sig"
    return attachment(
        budget_csv(table, encoding=encoding, word=absence_text, remarks=_words(table, remarks, "one")),
        name=_file_name(table, "csv"),
        content_type=f"text/csv; charset={encoding}",
    )


@login_required
@require_GET
def budget_as_pdf(request: HttpRequest) -> HttpResponse:
    """The same on A3, as it is printed and passed on."""
    require(request.user, Capability.READ_RESULTS)
    table, remarks = _read_or_empty(request)
    scale = request.GET.get("scale", "")
    content = budget_pdf(
        table,
        company=company_settings().name,
        as_of=data_as_of(timezone.now()),
        scale=scale,
        remarks=_words(table, remarks, scale),
    )
    return attachment(content, name=_file_name(table, "pdf"), content_type=PDF_TYPE)


def chosen_query(request: HttpRequest, tree: KpiTree) -> BudgetQuery:
    """`?rows=team|person|seg1…&kpi=&sum=1&line=&org=now`; what is not known is the tree, months, the official line."""
    line = request.GET.get("line", "")
    line = line if line in TargetLine.values and line != tree.official_line else "official"
    is_cumulative = request.GET.get("sum") == "1"
    rows = request.GET.get("rows", "")
    is_divided = rows in PEOPLE_WISE or (rows in SEGMENTS and rows in {row.code for row in segments_in_use()})
    nodes = grid_nodes(tree) if is_divided else []
    node = next((row for row in nodes if row.code == request.GET.get("kpi")), nodes[0] if nodes else None)
    dimension = DimensionCode(rows) if node else DimensionCode.COMPANY
    return BudgetQuery(tree, line, dimension, node, is_cumulative, chosen_org(request, dimension))


def _read(request: HttpRequest, query: BudgetQuery) -> tuple[BudgetTable, Sequence[BudgetRemark]]:
    now = timezone.now()
    sight = sight_of(user=request.user, today=timezone.localdate(now))
    table = read_budget_table(query, sight=sight, now=now)
    return table, read_remarks(table, sight=sight, now=now)


def _read_or_empty(request: HttpRequest) -> tuple[BudgetTable | None, Sequence[BudgetRemark]]:
    """No table where no tree is there to be written down."""
    tree = chosen_tree(request)
    return _read(request, chosen_query(request, tree)) if tree else (None, ())


def _words(table: BudgetTable | None, remarks: Sequence[BudgetRemark], scale: str) -> list[str]:
    return [] if table is None else file_remarks(table, remarks, scale=scale)


def _file_name(table: BudgetTable | None, ending: str) -> str:
    return f"{_('Budget versus actual table')}_{table.query.tree.name if table else ''}.{ending}"


def _row_choices(request: HttpRequest, query: BudgetQuery) -> list[Choice]:
    words = {DimensionCode.TEAM.value: _("Teams"), DimensionCode.PERSON.value: _("People")}
    words |= {row.code: str(row) for row in segments_in_use()}
    return [
        Choice(_("KPI tree"), address(request, rows=None, kpi=None), query.node is None),
        *(Choice(word, address(request, rows=code), query.dimension == code) for code, word in words.items()),
    ]


def _line_choices(request: HttpRequest, query: BudgetQuery) -> list[Choice]:
    current = query.tree.official_line if query.line == "official" else query.line
    return [Choice(str(line.label), address(request, line=line.value), line == current) for line in TargetLine]
