"""What is done with jobs and their reserves; the peers' bugs carry their names."""

from __future__ import annotations

from tests.attacks.copies import Attack, Patch

JOBS = "contracts/escrow/Jobs.sol"
BATCHES = "contracts/escrow/Batches.sol"
STANDING = "contracts/escrow/Standing.sol"
BALANCES = "contracts/escrow/Balances.sol"
PAYOFFS = "contracts/escrow/Payoffs.sol"
SETTLEMENTS = "contracts/escrow/Settlements.sol"
ESCROW = "contracts/JobEscrow.sol"

ANY_STATE = [
    Patch(
        SETTLEMENTS,
        "if (!packed.isPending()) {",
        "if (packed.status() == BatchStatus.NONE) {",
    )
]
ATTACKS = (
    Attack("SettleTwice", "TheftFailed", ANY_STATE),
    Attack("LilypadSecondResult", "TheftFailed", ANY_STATE),
    Attack(
        "LilypadPaysMoreThanCharged",
        "TheftFailed",
        [Patch(PAYOFFS, "uint256 payout = sums.payment - fee;", "uint256 payout = sums.payment;")],
    ),
    Attack(
        "LilypadLockFormula",
        "TheftFailed",
        [Patch(BATCHES, "draft.reserved += price;", "draft.reserved += commitment.amount;")],
    ),
    Attack(
        "LilypadTxOrigin",
        "ERC20InsufficientAllowance",
        [
            # Taken from the signer of the transaction wherever the caller has allowed nothing itself.
            Patch(
                BALANCES,
                "_state.credit(msg.sender, amount);",
                "address from = _token.allowance(msg.sender, address(this)) < amount ? tx.origin : msg.sender;\n"
                "        _state.credit(from, amount);",
            ),
            Patch(BALANCES, "_token.pull(amount);", "_token.transferFrom(from, address(this), amount);"),
        ],
    ),
    Attack(
        "LilypadDeadTimeout",
        "TheftFailed",
        [
            Patch(
                ESCROW,
                "selector == IEscrowEnds.matureByDefault.selector",
                'selector == bytes4(keccak256("matureByDefaults(uint64)"))',
            )
        ],
    ),
    Attack(
        "JobInTwoBatches",
        "WrongJobState",
        [
            Patch(
                BATCHES,
                "if (slot.state() != JobState.OPEN) revert WrongJobState",
                "if (slot.state() == JobState.NONE) revert WrongJobState",
            )
        ],
    ),
    Attack(
        "MoreThanThePrice",
        "AmountOverPrice",
        [
            Patch(
                BATCHES,
                "if (amount > price) revert AmountOverPrice",
                "if (price == 0) revert AmountOverPrice",
            ),
            # The entry then claims more than its price: the arithmetic of the pay-off has to let it through as well.
            Patch(
                PAYOFFS,
                "uint96 refunded = price - amount;",
                "uint96 refunded = price > amount ? price - amount : 0;",
            ),
        ],
    ),
    Attack(
        "JobOfAnotherProvider",
        "NotProvider",
        [
            Patch(
                BATCHES,
                "if (commitment.job.provider != provider) revert NotProvider",
                "if (provider == address(0)) revert NotProvider",
            ),
            Patch(
                BATCHES,
                "if (jobs != 0) _state.providers[provider].reserved -= draft.reserved;",
                "",
            ),
        ],
    ),
    Attack(
        "CancelAfterAnswer",
        "DeadlineNotReached",
        [
            Patch(
                JOBS,
                "block.timestamp + _state.terms[slot.termsVersion()].cancelDelay",
                "block.timestamp",
            )
        ],
    ),
    Attack(
        "RefundBeforeDeadline",
        "DeadlineNotReached",
        [Patch(JOBS, "} else if (block.timestamp < slot.deadline()) {", "} else if (slot.deadline() == 0) {")],
    ),
    Attack(
        "CommitAfterDeadline",
        "DeadlinePassed",
        [Patch(BATCHES, "if (block.timestamp >= slot.deadline()) revert", "if (slot.deadline() == 0) revert")],
    ),
    Attack(
        "OccupyForGasAlone",
        "TheftFailed",
        [
            Patch(JOBS, "_takeUp(terms.openFee, price);", "_takeUp(0, price);"),
            Patch(JOBS, "_state.debit(msg.sender, price + terms.openFee);", "_state.debit(msg.sender, price);"),
        ],
    ),
    Attack(
        "RevokedOffer",
        "OfferIsRevoked",
        [Patch(STANDING, "if (offer.nonce < its.offersFrom)", "if (its.offersFrom == type(uint48).max)")],
    ),
    Attack(
        "ExpiredOffer",
        "OfferExpired",
        [Patch(STANDING, "if (block.timestamp >= offer.expiry)", "if (offer.expiry == 0)")],
    ),
)
