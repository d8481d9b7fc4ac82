"""Connections to addresses that a stranger named: looked up once, and only where every address found is a public one.

The name of a listing may lead to this machine or its network, or do so the second time that it is looked up. So the
address that was checked is the one that is connected to.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore
import httpx

from protocol.listing import is_public_address

Resolve = Callable[[str, int], Sequence[str]]


class NotPublic(httpcore.ConnectError):
    """The name leads to no address, or to one that is not public. Its text is ours."""


class PublicNetwork(httpcore.NetworkBackend):
    """httpcore's own, behind a look-up of ours. Safe to share between threads."""

    def __init__(self, resolve: Resolve | None = None, network: httpcore.NetworkBackend | None = None) -> None:
        self._resolve = resolve or resolve_name
        self._network = network or httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[Any] | None = None) -> httpcore.NetworkStream:
        """Errors: NotPublic, httpcore.ConnectError, httpcore.ConnectTimeout."""
        found = self._resolve(host, port)
        for address in found:
            if not is_public_address(address):
                raise NotPublic(f"its name leads to {address}, which is no public address")
        failed: httpcore.ConnectError | httpcore.ConnectTimeout = NotPublic("its name leads nowhere")
        for address in found:
            try:
                return self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    def sleep(self, seconds: float) -> None:
        self._network.sleep(seconds)


class PublicTransport(httpx.HTTPTransport):
    """httpx's transport over such connections; certificates are checked against the name as ever."""

    def __init__(self, limits: httpx.Limits, network: PublicNetwork | None = None) -> None:
        super().__init__(limits=limits, trust_env=False)
        # httpx has no parameter for it.
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False), max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections, keepalive_expiry=limits.keepalive_expiry,
            network_backend=network or PublicNetwork())


def resolve_name(host: str, port: int) -> list[str]:
    """Addresses of a name, each once, in the system's order. Raises NotPublic where there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotPublic("its name leads nowhere") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
