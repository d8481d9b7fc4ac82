"""A stranger's address is looked up once, held to be public, and that very address is connected to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpcore
import httpx
import pytest

from protocol.errors import Unavailable
from protocol.listing import is_public_address
from requester.edges.provider_client import ProviderClient
from requester.edges.public_network import NotPublic, PublicNetwork, PublicTransport, resolve_name
from requester.ports.sessions import ProviderSaid
from tests.requester.test_provider_client import ID

GOOD = "93.184.216.34"


class FakeNetwork(httpcore.NetworkBackend):
    """Notes what is connected to; `refuses` addresses where nobody answers. It answers every request with 404."""

    def __init__(self, *refuses: str) -> None:
        self.refuses, self.connected = refuses, []  # type: ignore[var-annotated]

    def connect_tcp(self, host: str, port: int, *also: Any, **named: Any) -> httpcore.NetworkStream:
        self.connected.append((host, port))
        if host in self.refuses:
            raise httpcore.ConnectError("refused")
        return httpcore.MockStream([b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"])


def looking_up(*answers: Sequence[str]) -> Any:
    left = list(answers)
    return lambda host, port: left.pop(0)


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "192.0.0.8", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "2001:db8::1", "example.org", ""])
def test_address__not_of_the_internet__is_not_public(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize("address", [GOOD, "8.8.8.8", "2606:4700::1"])
def test_address__of_the_internet__is_public(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["10.0.0.1", GOOD], [GOOD, "::1"], []])
def test_connect__any_address_is_not_public__nothing_is_connected_to(answer: list[str]) -> None:
    network = FakeNetwork()
    with pytest.raises(NotPublic):
        PublicNetwork(looking_up(answer), network).connect_tcp("gpu.example.org", 80)
    assert network.connected == []


def test_connect__name_leads_elsewhere_the_second_time__only_the_checked_address_is_used() -> None:
    network = FakeNetwork()
    public = PublicNetwork(looking_up([GOOD], ["127.0.0.1"]), network)
    public.connect_tcp("gpu.example.org", 80)
    assert network.connected == [(GOOD, 80)]
    with pytest.raises(NotPublic, match=r"127\.0\.0\.1"):
        public.connect_tcp("gpu.example.org", 80)


def test_connect__first_address_does_not_answer__the_next_is_tried() -> None:
    network = FakeNetwork("8.8.8.8")
    PublicNetwork(looking_up(["8.8.8.8", GOOD]), network).connect_tcp("gpu.example.org", 80)
    assert network.connected == [("8.8.8.8", 80), (GOOD, 80)]
    with pytest.raises(httpcore.ConnectError):
        PublicNetwork(looking_up(["8.8.8.8"]), network).connect_tcp("gpu.example.org", 80)


def test_client__name_leads_inside__unavailable_and_says_why() -> None:
    network = FakeNetwork()

    def ask(*answers: Sequence[str]) -> ProviderClient:
        transport = PublicTransport(httpx.Limits(), PublicNetwork(looking_up(*answers), network))
        return ProviderClient("http://gpu.example.org:9000", httpx.Client(transport=transport))

    for start in (lambda its: its.read_session(ID, 1, ""), lambda its: its.start_call("chat", ID, b"")):
        with pytest.raises(Unavailable, match=r"192\.168\.1\.1, which is no public address"):
            start(ask(["192.168.1.1"]))
    assert network.connected == []
    with pytest.raises(ProviderSaid, match="404"):  # its own refusal: it was reached
        ask([GOOD]).read_session(ID, 1, "")
    assert network.connected == [(GOOD, 9000)]


def test_resolve__addresses_as_texts__are_themselves() -> None:
    assert resolve_name("127.0.0.1", 80) == ["127.0.0.1"] and resolve_name("::1", 80) == ["::1"]
    with pytest.raises(NotPublic):
        resolve_name("a" * 300 + ".invalid", 80)
    with pytest.raises(NotPublic):
        PublicNetwork(network=FakeNetwork()).connect_tcp("localhost", 80)
