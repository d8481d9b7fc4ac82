"""What is done with the ends of work batches, with terms and with the pause."""

from __future__ import annotations

from tests.attacks.copies import Attack, Patch

JOBS = "contracts/escrow/Jobs.sol"
BATCHES = "contracts/escrow/Batches.sol"
BALANCES = "contracts/escrow/Balances.sol"
DESK = "contracts/escrow/TermsDesk.sol"
PAYOFFS = "contracts/escrow/Payoffs.sol"
SETTLEMENTS = "contracts/escrow/Settlements.sol"
FREEZES = "contracts/escrow/Freezes.sol"
DEFAULTS = "contracts/escrow/Defaults.sol"

ATTACKS = (
    Attack(
        "SilenceAfterTheDraw",
        "TheftFailed",
        [
            Patch(
                FREEZES,
                "if (convicts) _convict(batchId, head, address(0), 0);",
                "if (convicts && packed.status() == BatchStatus.FROZEN_FRAUD) _convict(batchId, head, address(0), 0);",
            )
        ],
    ),
    Attack(
        "RubbishInTheLastSecond",
        "TooEarly",
        [Patch(DEFAULTS, "openedAt == 0 ? head.committedAt : openedAt", "openedAt == 1 ? openedAt : head.committedAt")],
    ),
    Attack(
        "OpeningsPostedForEver",
        "NothingToOpen",
        [
            Patch(
                SETTLEMENTS,
                "outcome == IEscrowBatches.Outcome.NOT_OPENED && packed.status() == BatchStatus.REOPENED",
                "outcome == IEscrowBatches.Outcome.NONE && packed.status() == BatchStatus.REOPENED",
            )
        ],
    ),
    Attack(
        "DefaultBeforeTheAudit",
        "TooEarly",
        [Patch(DEFAULTS, "if (block.timestamp < from) revert", "if (from == 0) revert")],
    ),
    Attack(
        "DefaultWithoutEvidence",
        "TheftFailed",
        [Patch(DEFAULTS, "if (entries[i].answerDigest == 0 || bitmap & (1 << i) != 0) {", "if (bitmap == 0) {")],
    ),
    Attack(
        "DefaultWhileFrozen",
        "ProviderIsFrozen",
        [Patch(DEFAULTS, "if (its.frozenBatch != 0) revert", "if (batchId == its.frozenBatch) revert")],
    ),
    Attack(
        "TwoOraclesDown",
        "TheftFailed",
        [Patch(DEFAULTS, "_committee.requireOneHonest(", "_committee.requireQuorum(")],
    ),
    Attack(
        "ForfeitBeforeTheAppeal",
        "TooEarly",
        [Patch(FREEZES, "if (convicts && block.timestamp < until) revert", "if (convicts && until == 0) revert")],
    ),
    Attack(
        "SlashedTwiceForOne",
        "TheftFailed",
        [Patch(FREEZES, "bool convicts = packed.isFrozen() && !isReached;", "bool convicts = packed.isFrozen();")],
    ),
    Attack(
        "OtherEntries",
        "EntriesMismatch",
        [Patch(PAYOFFS, "if (given != committed) revert", "if (given == 0) revert")],
    ),
    Attack(
        "OtherHead",
        "HeadMismatch",
        [Patch(PAYOFFS, "if (!packed.matches(digest)) revert", "if (digest == 0) revert")],
    ),
    Attack(
        "AnybodyAsTheCourt",
        "OnlyCourt",
        [Patch(FREEZES, "if (msg.sender != address(_court)) revert", "if (msg.sender == address(0)) revert")],
    ),
    Attack(
        "WholeTownInOneEpoch",
        "TheftFailed",
        [Patch(FREEZES, "if (used != 0 && used + amount > ceiling) return", "if (ceiling == 0) return")],
    ),
    Attack(
        "CapturedQuorum",
        "ValueAtRisk",
        [
            Patch(JOBS, "if (exposed > covered) revert", "if (covered == 0) revert"),
            Patch(BATCHES, "if (exposed > covered) revert", "if (covered == 0) revert"),
        ],
    ),
    Attack(
        "TermsReachBack",
        "TheftFailed",
        [Patch(PAYOFFS, "_state.fees[head.termsVersion]", "_state.fees[_state.opening.version]")],
    ),
    Attack(
        "PauseAsPrison",
        "TheftFailed",
        [
            Patch(
                BALANCES,
                "_state.debit(msg.sender, amount);",
                'require(block.timestamp >= _state.opening.pausedUntil, "paused"); _state.debit(msg.sender, amount);',
            )
        ],
    ),
    Attack("PauseForEver", "PauseTooLong", [Patch(DESK, "if (until > most) revert", "if (most == 0) revert")]),
    Attack(
        "AuditFeesWithoutEnd",
        "TheftFailed",
        [
            Patch(PAYOFFS, "i < oracles.length && available - paid >= auditFee; ++i", "i < oracles.length; ++i"),
            Patch(
                PAYOFFS,
                "left -= _payAuditors(batchId, sums.auditors, terms.auditFee, left);",
                "_payAuditors(batchId, sums.auditors, terms.auditFee, left);",
            ),
        ],
    ),
    Attack(
        "SubmitFeeOutOfTurn",
        "TheftFailed",
        [Patch(SETTLEMENTS, "_committee.proposer(setVersion) == msg.sender ? msg.sender : address(0)", "msg.sender")],
    ),
)
