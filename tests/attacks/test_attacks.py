"""Each attack runs twice: it fails on our contracts, for the reason that we mean, and works on a weakened copy.

The second half is what gives the first its weight: an attack that could not work anyway would prove nothing.
"""

from __future__ import annotations

import pytest

from tests.attacks.copies import Patch, PatchDoesNotFit, run_attacks

BATCHES, JOBS = "contracts/escrow/Batches.sol", "contracts/escrow/Jobs.sol"
SETTLEMENTS, HASHES = "contracts/escrow/Settlements.sol", "contracts/libraries/EscrowHashes.sol"
STAKING = "contracts/Staking.sol"

# The attack; what stops it on our contracts; the defence that the copy lacks.
ATTACKS: dict[str, tuple[str, list[Patch]]] = {
    "SettleTwice": (
        "NotEqual",
        [Patch(SETTLEMENTS, "record.state != BatchState.PENDING", "record.state == BatchState.NONE")],
    ),
    "JobInTwoBatches": (
        "WrongJobState",
        [
            Patch(
                BATCHES,
                "if (slot.state() != JobState.OPEN) revert",
                "if (slot.state() == JobState.NONE) revert",
            )
        ],
    ),
    "UnstakeBeforeSlash": (
        "NotEqual",
        [Patch(STAKING, "fromUnstaking = _slashUnstakings(owner, bps);", "fromUnstaking = 0;")],
    ),
    "MinorityAsQuorum": (
        "SignerNotMember",
        [
            Patch(HASHES, "SETTLEMENT_TYPEHASH, setVersion,", "SETTLEMENT_TYPEHASH, uint16(0),"),
            Patch(SETTLEMENTS, "record.setVersion != setVersion", "record.setVersion > setVersion"),
        ],
    ),
    "CancelAfterAnswer": (
        "DeadlineNotReached",
        [Patch(JOBS, "block.timestamp + _cancelDelay", "block.timestamp")],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_attack__on_our_contracts__fails(attack: str) -> None:
    refusal, _ = ATTACKS[attack]
    run = run_attacks(tuple(ATTACKS))[attack]
    assert not run.succeeded
    assert refusal in run.reason


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_attack__without_the_defence__works(attack: str) -> None:
    _, patches = ATTACKS[attack]
    run = run_attacks((attack,), patches)[attack]
    assert run.succeeded, run.reason


def test_patch__that_no_longer_fits__is_refused() -> None:
    with pytest.raises(PatchDoesNotFit, match="0 times instead of once"):
        run_attacks(("SettleTwice",), [Patch("contracts/Staking.sol", "no such line", "")])
