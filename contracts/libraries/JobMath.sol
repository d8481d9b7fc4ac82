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

    /// @notice The least active stake under which cheating on one unit of `price` does not pay: the slash times the
    /// chance of it must reach the gain times the chance of getting away, rounded up.
    /// @param slashBps Above zero.
    /// @param detectionBps Above zero, below 10,000.
    function neededStake(uint256 price, uint256 slashBps, uint256 detectionBps) internal pure returns (uint256) {
        uint256 left = price * (BPS - detectionBps) * BPS;
        uint256 unit = slashBps * detectionBps;
        return (left + unit - 1) / unit;
    }
}
