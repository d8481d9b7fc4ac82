"""Unit tests have no sockets; the guard itself is tested, or it could be lost unseen."""

from __future__ import annotations

import socket

import pytest


def test_socket__in_a_unit_test__is_refused() -> None:
    with socket.socket() as client, pytest.raises(Exception, match="may not use sockets"):
        client.connect(("127.0.0.1", 9))


def test_socket_pair__in_a_unit_test__works() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"x")
        assert right.recv(1) == b"x"


@pytest.mark.network
def test_socket__marked_network__is_allowed() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        assert server.getsockname()[1] > 0
