"""What the devices of one window tell about each other, and a thousand cards that only a library claims to have."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oracle.flow.challenges import accept_challenge_opening, accept_commitment, perform_check, want_checks
from oracle.flow.device_checks import find_signs, show_challenges
from oracle.records.challenges import ChallengeRow, ChallengeState
from protocol.encoding import keccak
from protocol.engine import challenge as engine
from tests.oracle.cards import TERMS, WINDOW, Card, challenged_world
from tests.oracle.world import World
from tests.provider.test_gpu import build

ROOT = Path(__file__).resolve().parents[2]
H100S = 1000
LIST = """
import json, pynvml
pynvml.nvmlInit()
cards = []
for index in range(pynvml.nvmlDeviceGetCount()):
    card = pynvml.nvmlDeviceGetHandleByIndex(index)
    cards.append([pynvml.nvmlDeviceGetUUID(card), pynvml.nvmlDeviceGetName(card),
                  pynvml.nvmlDeviceGetMemoryInfo(card).total, pynvml.nvmlSystemGetDriverVersion()])
print(json.dumps(cards))
"""


@pytest.fixture
def world() -> World:
    return challenged_world()


@pytest.fixture(scope="module")
def h100s(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """(uuid, name, memory, driver) of a thousand cards, through the real binding, from a library that makes them up."""
    folder = build(tmp_path_factory.mktemp("nvml") / "many", f"-DMANY={H100S}")
    its = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", LIST], env=its, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def test_signs__same_uuid__is_found_and_takes_no_badge_away(world: World) -> None:
    """R92: duplicate devices. Whoever copies another's uuid must not make it fail."""
    cards = [Card(world, name, uuid=uuid) for name, uuid in (("one", "GPU-1"), ("two", "GPU-1"), ("three", "GPU-3"))]
    for card in cards:
        accept_commitment(world.node, card.commit())
        world.node.store.decide_challenge(card.digest, ChallengeState.PASSED, "")
    shown = [show_challenges(world.node, [card.address])[card.address] for card in cards]
    signs = [one["devices"][0]["signs"] for one in shown]
    assert all(found == ["duplicate device: 1 more in this window say uuid GPU-1"] for found in signs[:2])
    assert signs[2] == [] and all(one["result"] == "passed" for one in shown)


@pytest.mark.parametrize(("seconds", "expected"), [((100, 105), 2), ((50, 50), 0), ((100, 51), 0), ((30, 35), 0)])
def test_signs__two_as_fast_as_one__look_like_a_shared_card(world: World, seconds: tuple[int, int],
                                                            expected: int) -> None:
    """R92: shared cards. A card alone needs 50 s; what ends within the network's own time tells nothing."""
    claimed = 4 * TERMS.product_ops // 50
    rows = []
    for name, took in zip(("one", "two"), seconds, strict=True):
        card = Card(world, name, uuid=name, int8_ops=claimed)
        signed = card.commit()
        rows.append(ChallengeRow(card.digest, signed, 0, took, ChallengeState.PASSED))
    signs = find_signs(rows, TERMS)
    assert len(signs) == expected and all("shared card" in found[0] for found in signs.values())


def test_rewards__budget_for_challenges__is_a_constant_zero_in_the_contract() -> None:
    """R94: nothing sets it, and nothing in the contract reads it to pay somebody."""
    source = re.sub(r"//[^\n]*|/\*.*?\*/", "", (ROOT / "contracts" / "Rewards.sol").read_text(), flags=re.S)
    body = r"function capacityBudget\(\) external pure returns \(uint96\) \{\s*return 0;\s*\}"
    assert re.search(body, source) and len(re.findall("capacity", source, re.I)) == 1
    contracts = (path.read_text() for path in (ROOT / "contracts").rglob("*.sol"))
    assert not any(re.search("gpu challenge", text, re.I) for text in contracts if "capacityBudget" not in text)


def test_h100s__a_thousand_of_a_fake_library__none_passes_and_duplicates_are_found(
    world: World, h100s: list[Any]
) -> None:
    """R92, R94: a driver that lies claims whatever it likes. What it cannot claim is the products in time.

    300 come as late as a processor is, 100 open garbage, 50 another's truth, the others nothing; 50 never even commit.
    """
    assert len(h100s) == H100S and len({uuid for uuid, *_ in h100s}) == H100S // 2
    assert {name for _, name, _, _ in h100s} == {"NVIDIA H100 80GB HBM3"}
    cards = []
    for index, (uuid, name, memory, driver) in enumerate(h100s):
        card = Card(world, f"h100 {index}", uuid=uuid, name=name, driver=driver, memory_bytes=memory,
                    int8_ops=1_979 * 10**12)
        world.chain.number = WINDOW + (25 if index < 300 else 5)
        if index < H100S - 50:
            accept_commitment(world.node, card.commit(root=keccak(index.to_bytes(4, "big"))))
        cards.append(card)
    world.chain.number = WINDOW + 31
    honest = Card(world, "somebody else")
    honest.compute()
    honest.commit()
    truth = honest.open()[65:]
    for index in range(300, 450):
        body = truth if index < 350 else bytes([index % 256]) * len(truth)
        accept_challenge_opening(world.node, cards[index].digest, cards[index].sign(body))
    for index in range(300, 450):
        assert perform_check(world.node, engine.multiply, cards[index].digest) is ChallengeState.FAILED
    world.chain.number = WINDOW + 51
    want_checks(world.node)
    shown = show_challenges(world.node, [card.address for card in cards])
    results = [shown[card.address]["result"] for card in cards]
    assert results == ["failed"] * (H100S - 50) + ["none"] * 50
    reasons = [shown[card.address]["devices"][0]["reason"] for card in cards[: H100S - 50]]
    assert all(reason.startswith("late: 25 s") for reason in reasons[:300])
    assert all(reason.startswith(("products_root", "opening_form")) for reason in reasons[300:450])
    assert all(reason.startswith("not opened") for reason in reasons[450:])
    signs = [shown[card.address]["devices"][0]["signs"] for card in cards[:450]]
    assert all("duplicate device: 1 more" in found[0] for found in signs)
    assert world.node.sender.calls == {}  # type: ignore[attr-defined]
