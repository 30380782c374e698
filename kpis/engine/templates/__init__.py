"""KPI trees shipped by sales style, the benchmarks beside them, and the targets that a typed goal implies."""

from collections.abc import Mapping

from kpis.engine.templates.benchmarks import BENCHMARKS, SURVEY_NOTES, Benchmark, SurveyNote, benchmarks_for
from kpis.engine.templates.documents import Suggestion, TemplateDocument, document_of, to_data
from kpis.engine.templates.inside_sales import INSIDE_SALES
from kpis.engine.templates.new_business import NEW_BUSINESS
from kpis.engine.templates.reading import DocumentError, parse_document
from kpis.engine.templates.referral import REFERRAL
from kpis.engine.templates.route_sales import ROUTE_SALES
from kpis.engine.templates.shapes import Driver, Step, Template, TemplateMetric, TemplateNode, Text
from kpis.engine.templates.working_back import TypedNumberError, targets_from

TEMPLATES: Mapping[str, Template] = {
    template.style: template for template in (NEW_BUSINESS, ROUTE_SALES, INSIDE_SALES, REFERRAL)
}

__all__ = [
    "BENCHMARKS",
    "INSIDE_SALES",
    "NEW_BUSINESS",
    "REFERRAL",
    "ROUTE_SALES",
    "SURVEY_NOTES",
    "TEMPLATES",
    "Benchmark",
    "DocumentError",
    "Driver",
    "Step",
    "Suggestion",
    "SurveyNote",
    "Template",
    "TemplateDocument",
    "TemplateMetric",
    "TemplateNode",
    "Text",
    "TypedNumberError",
    "benchmarks_for",
    "document_of",
    "parse_document",
    "targets_from",
    "to_data",
]
