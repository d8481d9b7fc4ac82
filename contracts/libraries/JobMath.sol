// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

/// @title JobMath: prices, fees and the deterrence bound
/// @notice The same arithmetic as `protocol/economics.py`, wei for wei.
library JobMath {
    uint256 internal constant BPS = 10_000;

    /// @notice The reserve of a job. No overflow: two products of 32 and 96 bits.
    function priceOf(uint32 inputTokens, uint96 inputPrice, uint32 outputTokens, uint96 outputPrice)
        internal
        pure
        returns (uint256)
    {
        return uint256(inputTokens) * inputPrice + uint256(outputTokens) * outputPrice;
    }

    /// @notice The burned share of a batch's payment: taken once from the sum of a batch, rounded down.
    function feeOf(uint256 payment, uint256 feeBps) internal pure returns (uint256) {
        return payment * feeBps / BPS;
    }

    /// @notice The least active stake under which cheating on one unit of `price` does not pay: what a slash burns
    /// times the chance of it must reach the gain times the chance of getting away, rounded up (DESIGN 4, step 7:
    /// lambda * (1 - kappa) * stake >= price * (1 - d) / d). The challenger's share does not count: it may be the
    /// cheat's.
    /// @dev Terms bound each divisor away from zero. No overflow: 96 + 40 bits.
    function neededStake(uint256 price, uint256 slashBps, uint256 challengerBps, uint256 detectionBps)
        internal
        pure
        returns (uint256)
    {
        uint256 left = price * (BPS - detectionBps) * BPS * BPS;
        uint256 unit = slashBps * (BPS - challengerBps) * detectionBps;
        return (left + unit - 1) / unit;
    }

    /// @notice What a conviction condemns of a stake, rounded up; at most the stake.
    function condemnedOf(uint256 stake, uint256 slashBps) internal pure returns (uint256) {
        return (stake * slashBps + BPS - 1) / BPS;
    }

    /// @notice What the oracles' stake covers once the challengers' shares of one epoch are set aside, in gwei, rounded
    /// down and saturating; zero if nothing is left.
    /// @param cover Wei that a captured quorum would lose, halved.
    function coverageOf(uint256 cover, uint256 challengerBps, uint256 slashCeiling) internal pure returns (uint64) {
        uint256 shares = (slashCeiling * challengerBps + BPS - 1) / BPS;
        uint256 left = cover > shares ? (cover - shares) / 1 gwei : 0;
        return left > type(uint64).max ? type(uint64).max : uint64(left);
    }
}
