import hypothesis.extra.pytestplugin  # noqa: F401, I001  (first: Brownie's plugin would load an import-time half of it)

from pathlib import Path
from typing import Any, NoReturn
import socket

import pytest

TESTS = Path(__file__).resolve().parent
# Folders whose tests talk to programs that they start on this machine.
WITH_SOCKETS = {"contracts", "e2e", "integration", "parity", "attacks", "chaos", "browser"}


class SocketRefused(Exception):
    """A unit test tried to reach something outside of its process."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves the Brownie tests to `brownie test`: their fixtures come from its plugin."""
    if collection_path == TESTS / "contracts" and not config.pluginmanager.hasplugin("pytest-brownie"):
        return True
    return None


def may_use_sockets(request: pytest.FixtureRequest) -> bool:
    folder = Path(request.node.path).relative_to(TESTS).parts[0]
    return folder in WITH_SOCKETS or request.node.get_closest_marker("network") is not None


@pytest.fixture(autouse=True)
def refuse_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `connect`, `bind` and `sendto` fail in unit tests; socket pairs inside the process still work."""
    if may_use_sockets(request):
        return

    def refuse(self: socket.socket, *arguments: Any) -> NoReturn:
        raise SocketRefused(f"a unit test may not use sockets, not even to {arguments[-1] if arguments else '?'}")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
