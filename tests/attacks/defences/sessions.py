"""What is done with sessions, vouchers and sub-keys."""

from __future__ import annotations

from tests.attacks.copies import Attack, Patch

BATCHES = "contracts/escrow/Batches.sol"
SESSIONS = "contracts/escrow/Sessions.sol"
VOUCHERS = "contracts/escrow/Vouchers.sol"
KEYS = "contracts/escrow/SubKeys.sol"

ADDS_NOTHING = "if (amount <= before) revert"
ADDED = "added = amount - before;"
ATTACKS = (
    Attack(
        "VoucherTwice",
        "VoucherAddsNothing",
        [
            Patch(VOUCHERS, ADDS_NOTHING, "if (amount == 0) revert"),
            Patch(VOUCHERS, ADDED, "added = amount;"),
        ],
    ),
    Attack(
        "OlderVoucherAfterNewer",
        "VoucherAddsNothing",
        [
            Patch(VOUCHERS, ADDS_NOTHING, "if (amount == before) revert"),
            Patch(
                VOUCHERS,
                ADDED,
                "added = amount > before ? amount - before : amount;",
            ),
        ],
    ),
    Attack(
        "RunningTotalAsAmount",
        "HeadMismatch",
        [Patch(VOUCHERS, ADDED, "added = amount;")],
    ),
    Attack(
        "VoucherOverTheCap",
        "VoucherOverCap",
        [Patch(VOUCHERS, "if (amount > slot.cap())", "if (slot.cap() == 0)")],
    ),
    Attack(
        "AdvanceWithoutItsCalls",
        "ClaimMissing",
        [
            Patch(
                VOUCHERS,
                "if (draft.hasClaim || voucher.inFlight != 0) (amount, head)",
                "if (draft.hasClaim) (amount, head)",
            )
        ],
    ),
    Attack(
        "ClaimAboveTheVoucher",
        "ClaimOverVoucher",
        [Patch(VOUCHERS, "if (amount > voucher.amount) revert", "if (voucher.amount == 0) revert")],
    ),
    Attack(
        "ClaimTwice",
        "VoucherAddsNothing",
        [
            Patch(VOUCHERS, ADDS_NOTHING, "if (amount == 0) revert"),
            Patch(VOUCHERS, ADDED, "added = amount;"),
        ],
    ),
    Attack(
        "CallsThatNobodyAskedFor",
        "NothingInFlight",
        [Patch(VOUCHERS, "if (voucher.inFlight == 0) revert", "if (head == 0) revert")],
    ),
    Attack(
        "VoucherByNobody",
        "VoucherSignatureInvalid",
        [
            Patch(VOUCHERS, "signer == address(0) || signer != voucher.session.key", "signer != voucher.session.key"),
            Patch(
                VOUCHERS,
                "if (block.timestamp >= endsAt) revert",
                "if (endsAt != 0 && block.timestamp >= endsAt) revert",
            ),
        ],
    ),
    Attack(
        "VoucherOfTheProvider",
        "VoucherSignatureInvalid",
        [
            Patch(
                VOUCHERS,
                "if (signer == requester) return;",
                "if (signer == requester || signer == msg.sender) return;",
            )
        ],
    ),
    Attack(
        "VoucherOfRevokedKey",
        "KeyExpired",
        [Patch(VOUCHERS, "if (block.timestamp >= endsAt) revert", "if (endsAt == 0) revert")],
    ),
    Attack(
        "KeyOverItsCap",
        "KeyCapTooLow",
        [Patch(KEYS, "if (amount > left) revert", "if (record.endsAt == 0) revert")],
    ),
    Attack(
        "KeyForAnotherModel",
        "ModelNotAllowed",
        [Patch(KEYS, "if (!isModelAllowed(requester, key, model)) revert", "if (model == 0) revert")],
    ),
    Attack(
        "CloseBeforeTheClaim",
        "SessionNotOver",
        [
            Patch(
                SESSIONS,
                "if (!isConvicted && block.timestamp < slot.endsAt()) revert",
                "if (slot.endsAt() == 0) revert",
            )
        ],
    ),
    Attack(
        "CloseTwice",
        "WrongSessionState",
        [Patch(SESSIONS, "_state.sessions[sessionId] = slot.closed();", "")],
    ),
    Attack(
        "ClaimAfterClosing",
        "WrongSessionState",
        [
            Patch(
                VOUCHERS,
                "} else if (state != IEscrowSessions.SessionState.OPEN) {",
                "} else if (state == IEscrowSessions.SessionState.NONE) {",
            )
        ],
    ),
    Attack(
        "TopUpByAnother",
        "NotRequester",
        [
            Patch(
                SESSIONS,
                "if (msg.sender != session_.requester) revert",
                "if (session_.requester == address(0)) revert",
            ),
            Patch(SESSIONS, "_state.debit(msg.sender, amount);", "_state.debit(session_.requester, amount);"),
        ],
    ),
    Attack(
        "ConvictedProviderClaims",
        "SessionOfConvictedProvider",
        [Patch(VOUCHERS, "if (_isConvicted(session.openedAt, draft.convictedAt)) {", "if (sessionId == 0) {")],
    ),
    Attack(
        "ConvictedProviderCommits",
        "JobOfConvictedProvider",
        [Patch(BATCHES, "if (_isConvicted(slot.openedAt(), draft.convictedAt)) revert", "if (jobId == 0) revert")],
    ),
)
