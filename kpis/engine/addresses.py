"""E-mail addresses as far as linking needs them: one spelling, and the company behind one. Never kept themselves."""

import re
from collections.abc import Callable

_ADDRESS = re.compile(r"(?P<local>[\w.!#$%&'*+/=?^`{|}~-]+)@(?P<domain>[\w.-]+\.[\w-]+)")
_HASH = re.compile(r"[0-9a-f]{64}")
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:www\.)?(?P<host>[^/:?#\s@]+\.[^/:?#\s@.]+)(?:[/:?#].*)?")
# Whoever writes from one of these says nothing of a company.
_FREE_MAIL = """
    gmail.com googlemail.com outlook.com outlook.jp hotmail.com hotmail.co.jp live.jp live.com msn.com icloud.com me.com
    mac.com yahoo.com yahoo.co.jp ymail.ne.jp aol.com proton.me protonmail.com docomo.ne.jp ezweb.ne.jp au.com
    softbank.ne.jp i.softbank.jp ymobile.ne.jp rakuten.jp nifty.com biglobe.ne.jp ocn.ne.jp so-net.ne.jp
"""
FREE_MAIL = frozenset(_FREE_MAIL.split())


def find_address(text: str) -> str:
    """The address within a text in the spelling that is compared; "" where there is none.

    >>> find_address(" Sato <Sato.Hana@Example.CO.JP> ")
    'sato.hana@example.co.jp'
    >>> find_address("9f86d081884c7d65")
    ''
    """
    found = _ADDRESS.search(text)
    return found.group().lower() if found else ""


def hash_of(address: str, seal: Callable[[str], str]) -> str:
    """What an address is known by: what `seal` makes of it, or what that made of it before (`sealed_text`)."""
    local, _, _ = address.partition("@")
    return local if _HASH.fullmatch(local) else seal(address)


def sealed_text(text: str, seal: Callable[[str], str]) -> str:
    """A text with the hash of each address in place of whose it is; its domain, which is a company's, stays.

    >>> sealed_text("Sato <Sato@Example.JP>, tel 03", lambda address: str(len(address)))
    'Sato <15@example.jp>, tel 03'
    """
    if "@" not in text:
        return text
    return _ADDRESS.sub(lambda found: f"{hash_of(found.group().lower(), seal)}@{found['domain'].lower()}", text)


def company_domain(text: str) -> str:
    """The domain of a company from its e-mail address, web address or the domain itself; "" for free mail.

    >>> [company_domain(each) for each in ("hana@Example.co.jp", "https://www.example.co.jp/about", "example.co.jp")]
    ['example.co.jp', 'example.co.jp', 'example.co.jp']
    >>> company_domain("hana@gmail.com"), company_domain("none")
    ('', '')
    """
    found = _ADDRESS.search(text)
    host = _HOST.fullmatch(text.strip().lower())
    domain = found["domain"].lower() if found else host["host"] if host else ""
    return "" if domain in FREE_MAIL else domain
