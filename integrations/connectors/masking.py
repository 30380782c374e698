"""What a source said, as it may be kept: it tells of persons only what something is made of. Pure.

No mail address in it can be read. A person's name, telephone number or day of birth that is mapped to nothing is left
out: a source that sends whole records sends them unasked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from integrations.connectors.catalogue import fields_of
from integrations.connectors.mapping import ATTRIBUTE_PREFIX, FieldRule, StreamMapping
from integrations.connectors.values import normalise
from kpis.engine.addresses import sealed_text
from kpis.engine.resources import Kind

_SEALED_BY_US = frozenset({Kind.ADDRESS, Kind.DOMAIN})
# What columns are called that say who somebody is or how to reach them, without what stands between the words.
_PERSONAL_NAMES = """
    firstname lastname middlename fullname givenname familyname surname maidenname personname contactname nickname
    firstnamekana lastnamekana salutation phone phonenumber telephone telephonenumber tel telno mobile mobilephone
    mobilenumber mobilephonenumber cellphone homephone otherphone workphone assistantphone fax faxnumber
    birthday birthdate dateofbirth
    氏名 姓 名 姓名 お名前 名前 氏 フリガナ ふりがな 氏名カナ 氏名フリガナ セイ メイ
    電話 電話番号 携帯 携帯電話 携帯番号 携帯電話番号 直通電話 ファックス 生年月日 誕生日
"""
_PERSONAL = frozenset(_PERSONAL_NAMES.split())
# Within what is called so, a plain name is a person's.
_PERSONS = frozenset({"contact", "contacts", "person", "persons", "lead", "担当者", "連絡先", "リード"})
_NAMES = frozenset({"name", "namekana"})
_BETWEEN_WORDS = re.compile(r"[\W_]+")


class Columns(NamedTuple):
    """The columns that mappings read, by path with and without places of lists.

    `plain`: those that something is made of for which a sealed address would not do: ids, names, custom fields.
    """

    read: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()


NOTHING_READ = Columns()


def columns_of(mappings: Iterable[StreamMapping]) -> Columns:
    some = list(mappings)
    plain = (column for each in some for rule in each.rules if not _is_sealed(each, rule) for column in rule.columns)
    return Columns(_paths(column for each in some for column in each.columns), _paths(plain))


def may_be_personal(said: Mapping[str, Any], text: str) -> bool:
    """Whether `masked` may have something to do; `text` is what was said as JSON. Quick, and never False wrongly."""
    return "@" in text or text.find("{", 1) > 0 or any(map(_is_personal, said))


def masked(said: Mapping[str, Any], columns: Columns, seal: Callable[[str], str]) -> dict[str, Any]:
    """What was said about a record with every address sealed, but for those read plain, and without what is personal.

    >>> said = {"mail": "Sato <sato@example.jp>", "key": "sato@example.jp", "amount": 3, "Last Name": "佐藤"}
    >>> masked(said, Columns(plain=frozenset({"key"})), len)
    {'mail': 'Sato <15@example.jp>', 'key': 'sato@example.jp', 'amount': 3}
    """
    return _within(said, "", columns, seal)


def _within(said: Mapping[str, Any], path: str, columns: Columns, seal: Callable[[str], str]) -> dict[str, Any]:
    """`path`, where this lies, has no places of lists in it."""
    around = _squeezed(path.rpartition(".")[2])
    inner = ((name, f"{path}.{name}" if path else name, value) for name, value in said.items())
    return {
        name: _masked(value, here, columns, seal)
        for name, here, value in inner
        if not _is_personal(name, around) or here in columns.read or _is_around_one(here, columns.read)
    }


def _masked(value: Any, path: str, columns: Columns, seal: Callable[[str], str]) -> Any:
    if path in columns.plain:
        return value
    if isinstance(value, str):
        return sealed_text(value, seal)
    if isinstance(value, Mapping):
        return _within(value, path, columns, seal)
    if isinstance(value, list):
        return [_masked(inner, path, columns, seal) for inner in value]
    return value


def _is_around_one(path: str, read: frozenset[str]) -> bool:
    return any(column.startswith(f"{path}.") for column in read)


@lru_cache(maxsize=10_000)
def _is_personal(name: str, around: str = "") -> bool:
    """Whether a column, within what is called `around`, tells of a person by its name."""
    squeezed = _squeezed(name)
    return squeezed in _PERSONAL or (around in _PERSONS and squeezed in _NAMES)


def _squeezed(name: str) -> str:
    return _BETWEEN_WORDS.sub("", normalise(name))


def _paths(columns: Iterable[str]) -> frozenset[str]:
    return frozenset(path for column in columns for path in (column, _without_places(column)))


def _without_places(column: str) -> str:
    return ".".join(part for part in column.split(".") if not part.isdigit())


def _is_sealed(mapping: StreamMapping, rule: FieldRule) -> bool:
    return not rule.field.startswith(ATTRIBUTE_PREFIX) and fields_of(mapping.resource)[rule.field].kind in _SEALED_BY_US
