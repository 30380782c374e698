"""Where a connector may connect to: addresses of the open internet, and never our own hosts.

The address is checked at the moment of connecting, on what the name resolved to, and the connection is made to that
very address: a name that answers differently the second time gains nothing. Redirects are not followed at all.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore
import httpx

from integrations.connectors.errors import ConnectorError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# IANA's registries of special-purpose addresses, and what carries an IPv4 address inside: the standard library of
# Python 3.11 calls several of these global.
CLOSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
LOOPBACK = ("127.0.0.1", "::1")


def is_open(address: Address) -> bool:
    """Whether this is an address of the open internet."""
    return not any(address.version == network.version and address in network for network in CLOSED)


@dataclass(frozen=True)
class Guard:
    """Decides about hosts. `own_domains` are ours, with every name below them; loopback is for development only."""

    own_domains: tuple[str, ...] = ()
    allows_loopback: bool = False

    def check_url(self, url: httpx.URL) -> None:
        """Refuse a scheme or a name that is never right, before anything is resolved. Raises ConnectorError."""
        host = url.host.casefold().rstrip(".")
        if not host or url.userinfo:
            raise ConnectorError("config", "bad_address", url=_plain(url))
        if url.scheme != "https" and not (url.scheme == "http" and self.allows_loopback):
            raise ConnectorError("config", "not_https", url=_plain(url))
        if any(host == own or host.endswith(f".{own}") for own in self.own_domains) and not self.allows_loopback:
            raise ConnectorError("config", "closed_address", host=host)

    def addresses(self, host: str, port: int) -> list[str]:
        """What the name stands for, when all of it is open. Raises ConnectorError, OSError where nothing answers."""
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        for address in found:
            if not is_open(_without_zone(address)) and not (self.allows_loopback and address in LOOPBACK):
                raise ConnectorError("config", "closed_address", host=host)
        return sorted(found, key=lambda address: (":" in address, address))


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to checked addresses; the certificate is still held against the name that was asked for."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses: Sequence[str] = self._guard.addresses(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known") from error
        failure: Exception = httpcore.ConnectError(host)
        for address in addresses:
            try:
                return self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise ConnectorError("config", "closed_address", host=path)

    def sleep(self, seconds: float) -> None:
        self._plain.sleep(seconds)


def guarded_transport(guard: Guard) -> httpx.HTTPTransport:
    """A transport of httpx whose every connection passes the guard; proxies of the environment are not used."""
    transport = httpx.HTTPTransport(verify=_certificates(), trust_env=False)
    pool = transport._pool
    if not isinstance(pool, httpcore.ConnectionPool) or not hasattr(pool, "_network_backend"):
        raise RuntimeError("httpx keeps its connections in another way: the guard has to be fitted anew")
    pool._network_backend = GuardedBackend(guard)
    return transport


@cache
def _certificates() -> ssl.SSLContext:
    """Whom we trust; read once for a process, which takes longer than many a call."""
    return httpx.create_ssl_context(trust_env=False)


def _without_zone(address: str) -> Address:
    return ipaddress.ip_address(address.partition("%")[0])


def _plain(url: httpx.URL) -> str:
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))
