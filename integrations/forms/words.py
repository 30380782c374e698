"""What words of a source mean in one field: those that are met, and what a person chose for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from integrations.connectors.base import SourceField
from integrations.connectors.catalogue import DIVIDING
from integrations.connectors.mapping import FieldRule, Unlisted
from integrations.connectors.values import normalise
from integrations.selectors.vocabulary import Vocabulary

# What a person chooses for a word: nothing yet, no value at all, the word itself, or a value out of our list.
UNSET, NO_VALUE, AS_IT_IS = "", "-", "="
LONGEST_WORD = 200
# Of a field with any number of words the most frequent are offered; those that have a meaning are always there.
MOST_WORDS = 100
# No browser likes a page with more choices than this for one field; so many words are offered in any case.
MOST_CHOICES, LEAST_WORDS = 20_000, 20
UNLISTED = [
    ("keep", _("Kept as they are")),
    ("count", _("Kept as they are and counted as unmapped")),
    ("empty", _("Left empty and counted as unmapped")),
    ("reject", _("Counted as unmapped, their records rejected")),
]


@dataclass(frozen=True)
class Word:
    """A word of the source, how often it stands in the sample, what it was said to mean, and its label there."""

    text: str
    count: int
    meaning: str
    label: str = ""


def choices_of(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """What can be chosen for a word of a field."""
    own = [] if vocabulary.is_closed else [(AS_IT_IS, gettext("as it is"))]
    return [(UNSET, gettext("not said yet")), (NO_VALUE, gettext("no value")), *own, *vocabulary.options]


def make_field(form: forms.Form, name: str, rule: FieldRule | None, vocabulary: Vocabulary) -> None:
    """The field with which a person says what becomes of words without meaning; closed lists have no choice."""
    if vocabulary.is_closed:
        return
    form.fields[f"unlisted.{name}"] = forms.ChoiceField(
        required=False,
        choices=UNLISTED,
        initial=unlisted_of(rule, vocabulary),
        label=_("Words without a meaning"),
    )


def unlisted_of(rule: FieldRule | None, vocabulary: Vocabulary) -> Unlisted:
    """What becomes of words without meaning by the rule in force; where there is none, as the vocabulary has it."""
    if rule is None:
        return vocabulary.unlisted
    return rule.unlisted or ("empty" if rule.values and rule.field in DIVIDING else "keep")


def said_in(form: forms.Form, name: str, vocabulary: Vocabulary) -> dict[str, str] | None:
    """What a person chose for each word of a field, as sent; None where no word of it was sent."""
    texts = form.data.getlist(f"word.{name}")  # type: ignore[attr-defined]
    if not texts:
        return None
    allowed = {code for code, _label in choices_of(vocabulary)}
    pairs = zip(texts, form.data.getlist(f"meaning.{name}"), strict=False)  # type: ignore[attr-defined]
    return {text[:LONGEST_WORD]: meaning for text, meaning in pairs if meaning in allowed and "\x00" not in text}


def said_by(rule: FieldRule, vocabulary: Vocabulary) -> dict[str, str]:
    """What the words of a rule mean, as a person chooses it."""
    options = {code for code, _label in vocabulary.options}
    chosen = {text: meaning or NO_VALUE for text, meaning in rule.values.items()}
    if vocabulary.is_closed:
        return chosen
    return {
        text: AS_IT_IS if meaning == text and meaning not in options else meaning for text, meaning in chosen.items()
    }


def values_of(said: Mapping[str, str], rule: FieldRule, vocabulary: Vocabulary) -> dict[str, str]:
    """The value map that was chosen. Of an open field what the page does not show of the old one stays."""
    meant = {NO_VALUE: ""}
    values = {
        text: text if meaning == AS_IT_IS else meant.get(meaning, meaning)
        for text, meaning in said.items()
        if meaning != UNSET
    }
    if vocabulary.is_closed:
        return values
    shown = {normalise(text) for text in said}
    return {**{text: old for text, old in rule.values.items() if normalise(text) not in shown}, **values}


def words_among(
    counts: Mapping[str, int], said: Mapping[str, str], vocabulary: Vocabulary, *, field: SourceField | None = None
) -> list[Word]:
    """The words that are met, the most frequent first, with what each was said to mean; then those met no more.

    `field`: whose words they are, where the source lists them; all of these are offered, with their labels.
    """
    labels = {value: label for value, label in field.choices if label != value} if field else {}
    listed = dict.fromkeys((value for value, _label in field.choices if value), 0) if field else {}
    return [replace(each, label=labels.get(each.text, "")) for each in _words({**listed, **counts}, said, vocabulary)]


def meant_by(field: SourceField | None, vocabulary: Vocabulary) -> dict[str, str]:
    """What the source itself says of the words of a field, as far as they can mean it."""
    options = {code for code, _label in vocabulary.options}
    return {word: meaning for word, meaning in field.meanings if meaning in options} if field else {}


def _words(counts: Mapping[str, int], said: Mapping[str, str], vocabulary: Vocabulary) -> Iterator[Word]:
    known = {normalise(text): (text, meaning) for text, meaning in said.items() if meaning != UNSET}
    offered, most = 0, max(LEAST_WORDS, min(MOST_WORDS, MOST_CHOICES // max(1, len(vocabulary.options))))
    for text, count in sorted(counts.items(), key=lambda each: -each[1]):
        is_said = normalise(text) in known
        if not is_said and not vocabulary.is_closed:
            if text in vocabulary.understood or len(text) > LONGEST_WORD or offered >= most:
                continue
            offered += 1
        _text, meaning = known.pop(normalise(text), (text, _itself(text, vocabulary.options)))
        yield Word(text, count, meaning)
    for text, meaning in known.values():
        yield Word(text, 0, meaning)


def _itself(text: str, options: Sequence[tuple[str, str]]) -> str:
    """A word that is one of our values already means that."""
    return text if text in {code for code, _label in options} else UNSET
