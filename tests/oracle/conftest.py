from __future__ import annotations

from collections.abc import Iterator

import pytest

from oracle.flow import sampling
from protocol.draw import RevealChain
from tests.oracle.stores import give_back
from tests.oracle.world import World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    give_back(made.databases)


@pytest.fixture
def short_reveals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reveal chains of 64 links, as the world's anchors are: the real length takes a quarter of a second each."""
    monkeypatch.setattr(sampling, "reveal_chain", lambda secret: RevealChain(secret, 64))
