"""What is done with stakes, delegations, awards and rewards."""

from __future__ import annotations

from tests.attacks.copies import Attack, Patch

STANDING = "contracts/escrow/Standing.sol"
TOKEN = "contracts/MallaToken.sol"
SLASHES = "contracts/staking/Slashes.sol"
NODE_KEYS = "contracts/staking/NodeKeys.sol"
DELEGATIONS = "contracts/staking/Delegations.sol"
POOL = "contracts/libraries/SharePool.sol"
QUEUE = "contracts/libraries/ExitQueue.sol"
REWARDS = "contracts/Rewards.sol"
REWARD_MATH = "contracts/libraries/RewardMath.sol"

ATTACKS = (
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
            Patch(
                POOL,
                "return (amount * (self.shares + VIRTUAL_SHARES) / (self.tokens + VIRTUAL_TOKENS)).toUint128();",
                "return self.shares == 0 ? uint128(amount) : uint128(amount * self.shares / self.tokens);",
            ),
            Patch(
                POOL,
                "return uint96(shares * (self.tokens + VIRTUAL_TOKENS) / (self.shares + VIRTUAL_SHARES));",
                "return self.shares == 0 ? 0 : uint96(shares * self.tokens / self.shares);",
            ),
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
    Attack(
        "RewardTwice",
        "TheftFailed",
        [
            Patch(REWARDS, "        account.accrued = 0;\n", ""),
            Patch(REWARDS, "uint96 fresh = earned - _minted;", "uint96 fresh = amount;"),
        ],
    ),
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
