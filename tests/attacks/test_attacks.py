"""Each attack runs twice: it fails on our contracts, for the reason that we mean, and works on a weakened copy.

The second half is what gives the first its weight: an attack that could not work anyway would prove nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.attacks.copies import Attack, Patch, PatchDoesNotFit, run_attacks
from tests.attacks.defences import ATTACKS

NAMES = tuple(attack.name for attack in ATTACKS)
FIRST = tuple(attack for attack in ATTACKS if attack.name in ("JobInTwoBatches", "VoucherTwice", "UnstakeBeforeSlash"))


def of(attack: Attack) -> str:
    return attack.name


@pytest.mark.parametrize("attack", ATTACKS, ids=of)
def test_attack__on_our_contracts__fails(attack: Attack) -> None:
    run = run_attacks(NAMES)[attack.name]
    assert not run.succeeded
    assert attack.refusal in run.reason


@pytest.mark.parametrize("attack", FIRST, ids=of)
def test_attack__without_the_defence__works_at_once(attack: Attack) -> None:
    """A few of each kind in every run; `make attacks` runs them all."""
    run = run_attacks((attack.name,), attack.patches)[attack.name]
    assert run.succeeded, run.reason


@pytest.mark.weakened
@pytest.mark.parametrize("attack", ATTACKS, ids=of)
def test_attack__without_the_defence__works(attack: Attack) -> None:
    run = run_attacks((attack.name,), attack.patches)[attack.name]
    assert run.succeeded, run.reason


def test_exploits__all__are_listed_once() -> None:
    texts = [path.read_text() for path in sorted((Path(__file__).parent / "exploits").glob("*.t.sol"))]
    found = [name for text in texts for name in re.findall(r"^contract (\w+) is", text, re.MULTILINE)]
    assert sorted(found) == sorted(NAMES)
    assert len(NAMES) >= 40


def test_patch__that_no_longer_fits__is_refused() -> None:
    with pytest.raises(PatchDoesNotFit, match="0 times instead of once"):
        run_attacks(("SettleTwice",), [Patch("contracts/Staking.sol", "no such line", "")])
