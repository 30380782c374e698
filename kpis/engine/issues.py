"""A finding of a validator: where, which code, and a sentence that can be translated."""

from collections.abc import Callable
from dataclasses import dataclass


def gettext_noop(message: str) -> str:
    """Mark a message for the catalogue; it is translated where it is shown.

    >>> gettext_noop("Say which fact is measured.")
    'Say which fact is measured.'
    """
    return message


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault: the field's path ("numerator.filters.0.op"), a stable code, and the sentence with its parameters.

    >>> issue = Issue("fact", "unknown", "There is no fact %(name)s.", (("name", "dealz"),))
    >>> issue.message
    'There is no fact dealz.'
    >>> issue.translated(lambda text: "%(name)s というデータはありません。")
    'dealz というデータはありません。'
    """

    field: str
    code: str
    template: str
    params: tuple[tuple[str, object], ...] = ()

    @property
    def message(self) -> str:
        """The sentence in English."""
        return self.translated(lambda text: text)

    def translated(self, gettext: Callable[[str], str]) -> str:
        """The sentence in the language of `gettext`."""
        return gettext(self.template) % dict(self.params) if self.params else gettext(self.template)
