"""Each attack, what stops it on our contracts, and the defence that its weakened copy lacks.

The attacks are in `exploits/`, one contract each. A refusal is a part of what Forge reports: the error's name, or
`TheftFailed` when every call went through and the loot is not there.
"""

from __future__ import annotations

from tests.attacks.copies import Attack, Patch

JOBS, BATCHES = "contracts/escrow/Jobs.sol", "contracts/escrow/Batches.sol"
STANDING, BALANCES = "contracts/escrow/Standing.sol", "contracts/escrow/Balances.sol"
SESSIONS, VOUCHERS = "contracts/escrow/Sessions.sol", "contracts/escrow/Vouchers.sol"
KEYS, DESK = "contracts/escrow/SubKeys.sol", "contracts/escrow/TermsDesk.sol"
PAYOFFS, SETTLEMENTS = "contracts/escrow/Payoffs.sol", "contracts/escrow/Settlements.sol"
FREEZES, DEFAULTS = "contracts/escrow/Freezes.sol", "contracts/escrow/Defaults.sol"
HASHES, ESCROW = "contracts/libraries/EscrowHashes.sol", "contracts/JobEscrow.sol"
COMMITTEE, TOKEN = "contracts/OracleCommittee.sol", "contracts/MallaToken.sol"
OWN_STAKE, SLASHES = "contracts/staking/OwnStake.sol", "contracts/staking/Slashes.sol"
NODE_KEYS, DELEGATIONS = "contracts/staking/NodeKeys.sol", "contracts/staking/Delegations.sol"
POOL, QUEUE = "contracts/libraries/SharePool.sol", "contracts/libraries/ExitQueue.sol"
REWARDS, REWARD_MATH = "contracts/Rewards.sol", "contracts/libraries/RewardMath.sol"

ANY_STATE = [
    Patch(
        SETTLEMENTS,
        "if (!packed.isPending()) {",
        "if (packed.status() == BatchStatus.NONE) {",
    )
]
NO_DOMAIN = [
    Patch(
        SETTLEMENTS,
        "return _hashTypedDataV4(EscrowHashes.hashSettlement(setVersion, decisions));",
        "return EscrowHashes.hashSettlement(setVersion, decisions);",
    )
]
RECOVERED = "(address signer,,) = ECDSA.tryRecoverCalldata(digest, signatures[i]);"
RAW = """bytes calldata raw = signatures[i];
            bytes32 vs = bytes32(raw[32:64]);
            uint8 v = raw.length == 64 ? uint8((uint256(vs) >> 255) + 27) : uint8(raw[64]);
            bytes32 low = raw.length == 64 ? vs & bytes32(type(uint256).max >> 1) : vs;
            address signer = ecrecover(digest, v < 27 ? v + 27 : v, bytes32(raw[0:32]), low);"""
ANY_FORM = [Patch(COMMITTEE, RECOVERED, RAW)]

MONEY = (
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
            Patch(BALANCES, "_state.credit(msg.sender, amount);", "_state.credit(tx.origin, amount);"),
            Patch(
                "contracts/libraries/Intake.sol",
                "token.safeTransferFrom(msg.sender,",
                "token.safeTransferFrom(tx.origin,",
            ),
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

ADDS_NOTHING = "if (amount <= before) revert"
ADDED = "added = amount - before;"
SESSION_MONEY = (
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
        "VoucherByNobody",
        "VoucherSignatureInvalid",
        [
            Patch(VOUCHERS, "signer == address(0) || signer != voucher.session.key", "signer != voucher.session.key"),
            Patch(VOUCHERS, "if (block.timestamp >= endsAt) revert", "if (endsAt != 0 && block.timestamp >= endsAt) revert"),
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
        [Patch(SESSIONS, "if (!isConvicted && block.timestamp < slot.endsAt()) revert", "if (slot.endsAt() == 0) revert")],
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
                "} else if (slot.state() != IEscrowSessions.SessionState.OPEN) {",
                "} else if (slot.state() == IEscrowSessions.SessionState.NONE) {",
            )
        ],
    ),
    Attack(
        "TopUpByAnother",
        "NotRequester",
        [
            Patch(SESSIONS, "if (msg.sender != session_.requester) revert", "if (session_.requester == address(0)) revert"),
            Patch(SESSIONS, "_state.debit(msg.sender, amount);", "_state.debit(session_.requester, amount);"),
        ],
    ),
    Attack(
        "ConvictedProviderClaims",
        "SessionOfConvictedProvider",
        [Patch(VOUCHERS, "if (_isConvicted(session.openedAt, convictedAt)) {", "if (sessionId == 0) {")],
    ),
    Attack(
        "ConvictedProviderCommits",
        "JobOfConvictedProvider",
        [Patch(BATCHES, "if (_isConvicted(slot.openedAt(), draft.convictedAt)) revert", "if (jobId == 0) revert")],
    ),
)

ENDS = (
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

NEEDED = "if (signatures.length < needed) revert"
MEMBER = "if (bitmap & _seatBit(signer) == 0) revert"
ASCENDING = "if (signer <= previous) revert"
SIGNATURES = (
    Attack("MinorityAsQuorum", "TooFewSignatures", [Patch(COMMITTEE, NEEDED, "if (signatures.length * 2 < needed) revert")]),
    Attack("OneSignerThreeTimes", "SignersNotAscending", [Patch(COMMITTEE, ASCENDING, "if (signer < previous) revert")]),
    Attack("StrangersAsOracles", "SignerNotMember", [Patch(COMMITTEE, MEMBER, "if (signer == address(0)) revert")]),
    Attack(
        "ZeroAsSigner",
        "SignerNotMember",
        [
            Patch(COMMITTEE, MEMBER, "if (signer != address(0) && bitmap & _seatBit(signer) == 0) revert"),
            Patch(COMMITTEE, ASCENDING, "if (signer < previous) revert"),
        ],
    ),
    Attack("HighS", "SignerNotMember", ANY_FORM),
    Attack("VAsZeroOrOne", "SignerNotMember", ANY_FORM),
    Attack("CompactForm", "SignerNotMember", ANY_FORM),
    Attack("SixtySixBytes", "SignerNotMember", ANY_FORM),
    Attack("SignedForAnotherChain", "SignerNotMember", NO_DOMAIN),
    Attack("SignedBeforeTheFork", "SignerNotMember", NO_DOMAIN),
    Attack("SignedForAnotherContract", "SignerNotMember", NO_DOMAIN),
    Attack(
        "SignedForAnotherBatch",
        "SignerNotMember",
        [
            Patch(
                HASHES,
                "hashes[i] = keccak256(abi.encode(DECISION_TYPEHASH, decisions[i]));",
                "hashes[i] = keccak256(abi.encode(DECISION_TYPEHASH, decisions[i].outcome, decisions[i].amount));",
            )
        ],
    ),
    Attack(
        "SignedForAnotherSet",
        "TheftFailed",
        [Patch(SETTLEMENTS, "if (head.setVersion != setVersion) return", "if (setVersion == 0) return")],
    ),
    Attack(
        "ReceiptsAsSettlement",
        "SignerNotMember",
        [
            Patch(
                SETTLEMENTS,
                "return _hashTypedDataV4(EscrowHashes.hashSettlement(setVersion, decisions));",
                "return decisions.length == 0\n"
                "            ? _hashTypedDataV4(EscrowHashes.hashSettlement(setVersion, decisions))\n"
                "            : _hashTypedDataV4(EscrowHashes.hashStorageReceipt(bytes32(uint256(3))));",
            )
        ],
    ),
    Attack(
        "PermitTwice",
        "ERC2612InvalidSigner",
        [
            Patch(
                TOKEN,
                "    function clock() public view",
                "    function _useNonce(address) internal pure override returns (uint256) {\n        return 0;\n    }\n\n"
                "    function clock() public view",
            )
        ],
    ),
    Attack(
        "PermitExpired",
        "ERC2612ExpiredSignature",
        [
            Patch(
                TOKEN,
                "    function clock() public view",
                "    function permit(address owner, address spender, uint256 value, uint256, uint8, bytes32, bytes32)\n"
                "        public\n        override(ERC20Permit, IERC20Permit)\n    {\n"
                "        _useNonce(owner);\n        _approve(owner, spender, value);\n    }\n\n"
                "    function clock() public view",
            )
        ],
    ),
    Attack(
        "PrimeDeadQuorum",
        "TheftFailed",
        [
            Patch(
                COMMITTEE,
                "        address previous;\n        for (uint256 i; i < signatures.length; ++i) {",
                "        address previous;\n        for (uint256 i; i <= signatures.length; ++i) {",
            )
        ],
    ),
)

STAKES = (
    Attack(
        "UnstakeBeforeSlash",
        "TheftFailed",
        [Patch(SLASHES, "uint96 fromUnstaking = _slashUnstaking(account, bps);", "uint96 fromUnstaking;")],
    ),
    Attack(
        "LeaveBeforeTheDelay",
        "NothingToWithdraw",
        [Patch(QUEUE, "if (exit.releaseAt <= block.timestamp) {", "if (exit.releaseAt != 0) {")],
    ),
    Attack(
        "UnstakingAsDeterrent",
        "StakeDoesNotDeter",
        [
            Patch(
                STANDING,
                "(address nodeKey, uint96 active) = _staking.standingOf(offer.provider);",
                "(address nodeKey,) = _staking.standingOf(offer.provider);\n"
                "        uint96 active = _staking.slashableStake(offer.provider);",
            )
        ],
    ),
    Attack(
        "PrimeMaturedUnbondEscapes",
        "TheftFailed",
        [Patch(SLASHES, "uint96 fromUnstaking = _slashUnstaking(account, bps);", "uint96 fromUnstaking;")],
    ),
    Attack(
        "PrimeStrandedUnbond",
        "TheftFailed",
        [
            Patch(
                SLASHES,
                "uint96 fromUnstaking = _slashUnstaking(account, bps);",
                "uint96 fromUnstaking = _slashUnstaking(account, bps);\n        account.unstaking.used = 0;",
            )
        ],
    ),
    Attack(
        "AnybodySlashes",
        "OnlyEscrow",
        [Patch(SLASHES, "if (msg.sender != escrow) revert", "if (msg.sender == address(0)) revert")],
    ),
    Attack(
        "AnybodySeizes",
        "OnlyCourt",
        [Patch(SLASHES, "if (msg.sender != court) revert", "if (msg.sender == address(0)) revert")],
    ),
    Attack(
        "SlashAsEarlyExit",
        "TheftFailed",
        [
            Patch(
                SLASHES,
                "uint96(Math.min(uint256(slashed) * challengerBps / BPS, maxShare))",
                "uint96(Math.max(uint256(slashed) * challengerBps / BPS, maxShare))",
            )
        ],
    ),
    Attack("AwardTwice", "NoAward", [Patch(SLASHES, "delete _awards[msg.sender];", "")]),
    Attack(
        "FirstDelegatorInflates",
        "DelegationTooSmall",
        [
            Patch(POOL, "VIRTUAL_SHARES = 1e6;", "VIRTUAL_SHARES = 1;"),
            Patch(DELEGATIONS, "if (amount < least) revert", "if (least == 0) revert"),
        ],
    ),
    Attack(
        "LastMinuteDelegator",
        "TheftFailed",
        [
            Patch(
                DELEGATIONS,
                "        IRewards(rewards).settleRewards(provider);\n",
                "",
            )
        ],
    ),
    Attack(
        "NodeKeyOfAnother",
        "NodeKeySignatureInvalid",
        [Patch(NODE_KEYS, "if (recovered != nodeKey) revert", "if (nodeKey == address(0)) revert")],
    ),
    Attack("RewardTwice", "TheftFailed", [Patch(REWARDS, "        account.accrued = 0;\n", "")]),
    Attack(
        "RewardAboveTheBurn",
        "TheftFailed",
        [
            Patch(
                REWARD_MATH,
                "return _least(budget * burned / total, burned * betaBps / BPS);",
                "return budget * burned / total + betaBps * 0;",
            )
        ],
    ),
    Attack(
        "AccrueByAnybody",
        "OnlyEscrow",
        [Patch(REWARDS, "if (msg.sender != escrow) revert", "if (msg.sender == address(0)) revert")],
    ),
    Attack(
        "MintByAnybody",
        "OnlyMinter",
        [Patch(TOKEN, "if (msg.sender != minter) revert", "if (msg.sender == address(0)) revert")],
    ),
)

INTAKE = "contracts/libraries/Intake.sol"
UNCHECKED = Patch(INTAKE, "if (held != before + amount) revert", "if (held < before) revert")
PUSHED = [
    Patch(
        PAYOFFS,
        "_state.credit(entry.requester, refunded);",
        "_token.transfer(entry.requester, refunded);",
    )
]
CREDITED = "_state.credit(msg.sender, amount);"
TOKENS = (
    Attack("FeeOnTransfer", "TheftFailed", [UNCHECKED]),
    Attack(
        "FalseOnTransfer",
        "TheftFailed",
        [
            UNCHECKED,
            Patch(INTAKE, "token.safeTransferFrom(msg.sender,", "token.transferFrom(msg.sender,"),
        ],
    ),
    Attack(
        "SilentOnTransfer",
        "TheftFailed",
        [Patch(INTAKE, "token.safeTransferFrom(msg.sender,", "token.transferFrom(msg.sender,")],
    ),
    Attack("RevertsOnZero", "TheftFailed", PUSHED),
    Attack("BlockedPayee", "TheftFailed", PUSHED),
    Attack("StoppedWhilePending", "TheftFailed", PUSHED),
    Attack("SixDecimals", "TheftFailed", [Patch(BALANCES, CREDITED, CREDITED.replace("amount", "amount * 1e12"))]),
    Attack("ManyDecimals", "TheftFailed", [Patch(BALANCES, CREDITED, CREDITED.replace("amount", "amount * 1e9"))]),
    Attack(
        "ReentrantWithdrawal",
        "TheftFailed",
        [
            Patch(BALANCES, "_state.debit(msg.sender, amount);", "_token.safeTransfer(msg.sender, amount);"),
            Patch(
                BALANCES,
                "        emit Withdrawn(msg.sender, amount);\n        _token.safeTransfer(msg.sender, amount);",
                "        emit Withdrawn(msg.sender, amount);\n"
                "        _state.balances[msg.sender] -= amount < _state.balances[msg.sender]\n"
                "            ? amount\n            : _state.balances[msg.sender];",
            ),
        ],
    ),
    Attack(
        "ReentrantDeposit",
        "refused",
        [
            UNCHECKED,
            Patch(
                BALANCES,
                "if (amount == 0) revert ZeroAmount();\n        _state.credit(msg.sender, amount);",
                "uint256 before = _state.balances[msg.sender] + amount;\n        _state.credit(msg.sender, amount);",
            ),
            Patch(BALANCES, "        _token.pull(amount);", "        _token.pull(amount);\n        _state.balances[msg.sender] = before;"),
        ],
    ),
)

ATTACKS = (*MONEY, *SESSION_MONEY, *ENDS, *SIGNATURES, *STAKES, *TOKENS)
