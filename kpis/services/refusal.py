"""What a service says when it does not do what was asked."""

from collections.abc import Sequence

from django.utils.translation import gettext

from kpis.engine.issues import Issue


class RefusedError(Exception):
    """A refusal: a stable code, a sentence in the caller's language, and the faults of single fields, if any."""

    code = "refused"

    def __init__(self, template: str = "", *, issues: Sequence[Issue] = (), **params: object) -> None:
        super().__init__(template, params)
        self.template = template
        self.params = params
        self.issues = tuple(issues)

    def __str__(self) -> str:
        if self.template:
            text = gettext(self.template)
            return text % self.params if self.params else text
        return " ".join(issue.translated(gettext) for issue in self.issues)
