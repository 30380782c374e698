"""The Japanese catalogue: `python -m config.catalogue extract | compile | check`. Needs Babel, not the gettext tools.

`extract` collects the msgids of code, templates and locale/*.csv into locale/ja/LC_MESSAGES/django.po, keeping
the translations that are there, and compiles. `compile` writes the .mo. `check` says what is missing or wrong.
"""

import csv
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
PO = ROOT / "locale" / "ja" / "LC_MESSAGES" / "django.po"
MO = PO.with_suffix(".mo")
# glossary.csv holds the product's terms, unfold.csv the texts of the administration that Unfold has in English only.
TERMS = ROOT / "locale"
ROOMS = ("config", "tenants", "kpis", "integrations", "reviews")
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
BANNED = (
    "成熟待ち",
    "達成ペース",
    "顧客企業",
    "形骸化指数",
    "レコードが存在しません",
    "XmR",
    "コホート",
    "スキーマ",
    "p値",
)
BARE_ACTION = re.compile(r"(?<!改善)アクション")
BARE_HANDOVER = re.compile(r"引き継ぎ")
# The creation date would change every file at every run and says nothing that git does not.
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
Key = tuple[str | None, str]


def read_glossary() -> dict[Key, str]:
    """(context or None, msgid) → the Japanese that this msgid must have."""
    terms: dict[Key, str] = {}
    for path in sorted(TERMS.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            terms |= {(row["context"] or None, row["msgid"]): row["msgstr"] for row in csv.DictReader(file)}
    return terms


def _sources() -> Iterator[tuple[str, str]]:
    """(python-like source, where it is from) of everything that may hold a msgid."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))
    for path in sorted((ROOT / "templates").rglob("*.*")):
        if path.suffix in {".html", ".txt"}:
            source = templatize(path.read_text(encoding="utf-8"), origin=str(path))
            yield "\n".join(line.lstrip() for line in source.split("\n")), str(path.relative_to(ROOT))


def collect() -> Catalog:
    """A catalogue without translations: every msgid in use, the glossary's included."""
    catalog = Catalog(locale="ja", domain="django", project="Mawaru", charset="utf-8", creation_date=EPOCH)
    for source, origin in _sources():
        stream = io.BytesIO(source.encode())
        for line, message, _comments, context in extract("python", stream, KEYWORDS, options={"encoding": "utf-8"}):
            catalog.add(message, context=context, locations=[(origin, line)])
    for context, msgid in read_glossary():
        catalog.add(msgid, context=context)
    return catalog


def read_catalogue() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="ja", domain="django")


def compiled(catalog: Catalog) -> bytes:
    stream = io.BytesIO()
    write_mo(stream, catalog)
    return stream.getvalue()


def write_extracted() -> int:
    """Update the .po and .mo; returns how many msgids still have no Japanese."""
    template, glossary = collect(), read_glossary()
    catalog = read_catalogue() if PO.exists() else Catalog(locale="ja", domain="django", fuzzy=False)
    catalog.update(template, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.header_comment = (
        "# The Japanese of Mawaru. Made by python -m config.catalogue; terms in locale/glossary.csv."
    )
    catalog.project, catalog.version = "Mawaru", "1"
    catalog.creation_date = catalog.revision_date = EPOCH
    for (context, msgid), msgstr in glossary.items():
        catalog.get(msgid, context).string = msgstr
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, catalog, no_location=True, sort_output=True, width=0)
    write_compiled()
    return len(untranslated(read_catalogue()))


def write_compiled() -> None:
    MO.write_bytes(compiled(read_catalogue()))


def _strings(message: Message) -> list[str]:
    return list(message.string) if isinstance(message.string, list | tuple) else [message.string]


def untranslated(catalog: Catalog) -> list[str]:
    return [str(message.id) for message in catalog if message.id and not all(_strings(message))]


def _banned_word(message: Message) -> str | None:
    text = " ".join(_strings(message))
    word = next((word for word in BANNED if word in text), None)
    if word is None and BARE_ACTION.search(text):
        word = "アクション without 改善"
    if word is None and "見送り" in text and message.id != "No decision":
        word = "見送り outside the outcome of a deal"
    if word is None and BARE_HANDOVER.search(text) and "担当" not in text:
        word = "引き継ぎ outside 担当"
    return word


def find_problems() -> list[str]:
    """What is wrong with the catalogue, one sentence each; empty when all is well."""
    catalog = read_catalogue()
    problems = [
        f"No entry for {message.id!r} of {message.locations[:1]}: run python -m config.catalogue extract."
        for message in collect()
        if message.id and catalog.get(message.id, message.context) is None
    ]
    problems += [f"No Japanese for {msgid!r}." for msgid in untranslated(catalog)]
    problems += [f"{message.id!r} is marked fuzzy." for message in catalog if message.id and message.fuzzy]
    for (context, msgid), msgstr in read_glossary().items():
        entry = catalog.get(msgid, context)
        if entry is None or entry.string != msgstr:
            problems.append(f"{msgid!r} must be {msgstr} (glossary).")
    problems += [
        f"{message.id!r} uses the banned word {word}."
        for message in catalog
        if message.id and (word := _banned_word(message))
    ]
    problems += [f"{message.id!r}: {error}" for message in catalog if message.id for error in message.check(catalog)]
    if not MO.exists() or MO.read_bytes() != compiled(catalog):
        problems.append("django.mo is not what django.po compiles to: run python -m config.catalogue compile.")
    return problems


def main(arguments: list[str]) -> int:
    command = arguments[0] if len(arguments) == 1 else ""
    if command == "extract":
        print(f"{write_extracted()} msgids have no Japanese yet; they are the empty ones in {PO.relative_to(ROOT)}.")
        return 0
    if command == "compile":
        write_compiled()
        return 0
    if command == "check":
        problems = find_problems()
        print("\n".join(problems) or "The catalogue is complete.")
        return 1 if problems else 0
    print("Usage: python -m config.catalogue extract | compile | check")
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
