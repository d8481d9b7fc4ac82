"""One network for all end-to-end tests: four oracles, four providers of which the third cheats and
the fourth serves embeddings, real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.testnet.arrangement import EMBEDDER, EMBEDDING_MODEL, arrange
from scripts.testnet.lock import Lock
from scripts.testnet.network import Network, remove_network
from scripts.testnet.pace import Pace
from scripts.testnet.show import Steps
from tests.e2e.market import CHEAT, Market

FOLDER = Path(__file__).resolve().parents[2] / "var" / "e2e"
PACE = Pace(block_time=0.5, audit_turn=10, reveal_wait=15)
"""Most of these tests wait for blocks, and two of them for an oracle that is gone."""


@pytest.fixture(scope="session")
def market() -> Iterator[Market]:
    """Kept on disk after a run, for its logs; the next run begins anew."""
    with Lock(FOLDER):
        remove_network(FOLDER / "network")
        what = arrange(FOLDER / "network", providers=4, cheats=(CHEAT,), models={EMBEDDER: (EMBEDDING_MODEL,)},
                       pace=PACE)
        with Network(what, Steps()) as network:
            yield Market(network)
