"""Whether a template document makes sense: the tree's own validation, and what a template has to hold besides."""

from collections import Counter
from collections.abc import Iterable, Mapping

from kpis.engine.formula import RESERVED_NAMES, names
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.specs import Formula
from kpis.engine.templates.benchmarks import Benchmark
from kpis.engine.templates.documents import TemplateDocument
from kpis.engine.templates.shapes import TemplateMetric, TemplateNode
from kpis.engine.tree import FACTS, TreeInput, TreeNode, blocking, tree_issues

# A code keeps its meaning: what closed numbers of companies were computed by does not turn into something else.
FIXED = ("unit", "accumulation", "direction")


def document_issues(document: TemplateDocument, *, before: TemplateDocument | None = None) -> tuple[Issue, ...]:
    """Everything that is missing or wrong, `before` being the last version that companies may have.

    An issue's field is a node's code, a metric's code, or "" for the whole. People, targets and data sources belong to
    companies and are not asked for.

    >>> from kpis.engine.templates.documents import document_of
    >>> from kpis.engine.templates.referral import REFERRAL
    >>> document_issues(document_of(REFERRAL))
    ()
    """
    found = tree_issues(as_tree(document, language="en"))
    return (
        *_double_issues(document),
        *(issue for issue in found if issue.code not in FACTS),
        *_code_issues(document.template.metrics),
        *(issue for each in document.benchmarks for issue in _benchmark_issues(each, document)),
        *(_fixed_issues(document, before) if before is not None else ()),
    )


def keeping_from_publishing(issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """The issues with which a document cannot be published: all but advice.

    >>> keeping_from_publishing([Issue("a", "no_reason", "…"), Issue("", "no_kgi", "…")])[0].code
    'no_kgi'
    """
    return blocking(tuple(issues))


def as_tree(document: TemplateDocument, *, language: str) -> TreeInput:
    """The document's nodes as the engine looks at trees, named in a language; facts count as given."""
    metrics = document.template.metrics
    formulas = {each.code: each.spec.expression for each in metrics if isinstance(each.spec, Formula)}
    return TreeInput(
        nodes=[as_tree_node(node, language=language) for node in document.template.nodes],
        references={each.code: tuple(dict.fromkeys(names(formulas.get(each.code, "0")))) for each in metrics},
        formulas=formulas,
        units={each.code: each.unit for each in metrics},
    )


def as_tree_node(node: TemplateNode, *, language: str) -> TreeNode:
    """One node as the engine looks at trees."""
    return TreeNode(
        node.code,
        node.level,
        node.parent,
        node.metric,
        node.reason.in_language(language) if node.reason else "",
        has_responsible=True,
        has_target=True,
        name=node.name.in_language(language) or node.code,
        link=node.link,
    )


def _double_issues(document: TemplateDocument) -> list[Issue]:
    template = document.template
    nodes = Counter(node.code for node in template.nodes)
    metrics = Counter(metric.code for metric in template.metrics)
    doubled = [code for counted in (nodes, metrics) for code, count in counted.items() if count > 1]
    text = gettext_noop("%(code)s stands there twice. Choose another code for one of them.")
    return [Issue(code, "unique", text, (("code", code),)) for code in doubled]


def _code_issues(metrics: Iterable[TemplateMetric]) -> list[Issue]:
    text = gettext_noop("%(code)s is a function of formulas. Choose another code.")
    return [
        Issue(each.code, "reserved", text, (("code", each.code),)) for each in metrics if each.code in RESERVED_NAMES
    ]


def _benchmark_issues(benchmark: Benchmark, document: TemplateDocument) -> list[Issue]:
    """A benchmark is a figure of a metric of the template, with where it comes from and what to beware of."""
    params = (("metric", benchmark.metric),)
    faults = []
    if all(metric.code != benchmark.metric for metric in document.template.metrics):
        faults.append(
            ("unknown_metric", gettext_noop("A benchmark is about %(metric)s. Add the metric, or remove it."))
        )
    if not (benchmark.source.english.strip() and benchmark.source.japanese.strip()):
        faults.append(("no_source_named", gettext_noop("A benchmark of %(metric)s names no source. Say who says so.")))
    if not (benchmark.note.english.strip() and benchmark.note.japanese.strip()):
        faults.append(("no_caveat", gettext_noop("A benchmark of %(metric)s has no caveat. Say what to beware of.")))
    if benchmark.low is None and benchmark.kind != "varies":
        faults.append(("no_figure", gettext_noop("A benchmark of %(metric)s has no figure. Type its lower bound.")))
    if benchmark.low is not None and benchmark.high is not None and benchmark.low > benchmark.high:
        faults.append(
            ("wrong_order", gettext_noop("A benchmark of %(metric)s ends below where it begins. Correct its bounds."))
        )
    return [Issue(benchmark.metric, code, text, params) for code, text in faults]


def _fixed_issues(document: TemplateDocument, before: TemplateDocument) -> list[Issue]:
    """What a new version would change about a code that companies already measure by."""
    metrics: Mapping[str, TemplateMetric] = {each.code: each for each in before.template.metrics}
    levels = {node.code: node.level for node in before.template.nodes}
    changed = [
        each.code
        for each in document.template.metrics
        if each.code in metrics and any(getattr(each, name) != getattr(metrics[each.code], name) for name in FIXED)
    ]
    metric_text = gettext_noop(
        "%(code)s was published with another unit, direction or accumulation. Give the changed metric a new code."
    )
    level_text = gettext_noop("%(code)s was published on another level. Give the changed node a new code.")
    moved = [node.code for node in document.template.nodes if levels.get(node.code, node.level) != node.level]
    return [
        *(Issue(code, "fixed", metric_text, (("code", code),)) for code in changed),
        *(Issue(code, "fixed", level_text, (("code", code),)) for code in moved),
    ]
