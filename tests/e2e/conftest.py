"""One network for all end-to-end tests: four oracles, four providers of which the third cheats and
the fourth serves embeddings, real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.testnet.arrangement import EMBEDDER, EMBEDDING_MODEL, arrange
from scripts.testnet.lock import Lock
from scripts.testnet.network import Network, remove_network
from scripts.testnet.show import Steps
from tests.e2e.market import CHEAT, Market

FOLDER = Path(__file__).resolve().parents[2] / "var" / "e2e"
AUDIT_TURN = 15


@pytest.fixture(scope="session")
def market() -> Iterator[Market]:
    """Kept on disk after a run, for its logs; the next run begins anew."""
    with Lock(FOLDER):
        remove_network(FOLDER / "network")
        what = arrange(FOLDER / "network", providers=4, cheats=(CHEAT,), models={EMBEDDER: (EMBEDDING_MODEL,)},
                       audit_turn=AUDIT_TURN)
        with Network(what, Steps()) as network:
            yield Market(network)
