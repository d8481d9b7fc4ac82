// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

/// @title RewardMath: what an epoch may pay, what a provider earns of it, and how that is split
/// @notice The same arithmetic as `protocol/rewards.py`, wei for wei. Everything is rounded down.
/// @dev No overflow: each product has at most 96 + 96 bits.
library RewardMath {
    uint256 internal constant BPS = 10_000;

    /// @notice Budget of an epoch before the hard cap: halved every `halvingEpochs`.
    function scheduled(uint256 firstBudget, uint256 halvingEpochs, uint256 epoch) internal pure returns (uint256) {
        return firstBudget >> (epoch / halvingEpochs);
    }

    /// @notice The most that an epoch's providers can earn together: min(budget, beta * total), so never less than the
    /// sum of their rewards.
    function promised(uint256 budget, uint256 total, uint256 betaBps) internal pure returns (uint256) {
        return _least(budget, total * betaBps / BPS);
    }

    /// @notice min(budget * burned / total, beta * burned).
    /// @param total Burn of the whole epoch, at least `burned` and not zero.
    function reward(uint256 burned, uint256 total, uint256 budget, uint256 betaBps) internal pure returns (uint256) {
        return _least(budget * burned / total, burned * betaBps / BPS);
    }

    /// @notice What of a reward goes to the delegators: their part by stake, less the provider's commission on it.
    function delegatorsPart(uint256 amount, uint256 commissionBps, uint256 own, uint256 delegated)
        internal
        pure
        returns (uint256)
    {
        if (delegated == 0) return 0;
        // Rounded down twice, as its twin in Python does: the dust is the provider's.
        // slither-disable-next-line divide-before-multiply
        return amount * delegated / (own + delegated) * (BPS - commissionBps) / BPS;
    }

    function _least(uint256 left, uint256 right) private pure returns (uint256) {
        return left < right ? left : right;
    }
}
