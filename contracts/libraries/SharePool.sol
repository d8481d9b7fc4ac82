// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title SharePool: tokens that many own in shares, so that a slash touches one number
/// @dev A pool is counted as if it held one wei and a million shares more than it does. They belong to nobody, so
/// whoever inflates the price of a share pays for theirs, and an empty pool needs no case of its own. Everything that
/// leaves a pool is rounded down and every slash up: what the shares are worth together never exceeds the tokens. No
/// product overflows: amounts are below 2^96 and shares below 2^128.
library SharePool {
    using SafeCast for uint256;

    /// @param tokens Wei in the pool.
    /// @param shares Of all owners together.
    /// @param scale How often the shares were rescaled.
    /// @param used Of an owner's own pool: which of its places in the queue are taken, a bit each.
    struct Pool {
        uint96 tokens;
        uint128 shares;
        uint16 scale;
        uint16 used;
    }

    /// @dev Rounding costs whoever enters less than the millionth part that a share of it is.
    uint256 internal constant LEAST_SHARES = 1e6;
    uint256 private constant VIRTUAL_SHARES = 1e6;
    uint256 private constant VIRTUAL_TOKENS = 1;
    /// @dev A wei buys a million shares at first. With at most 1e27 wei, which is the token's cap, no pool within this
    /// price can pass 1e38 shares, which fit uint128.
    uint256 private constant MOST_SHARES_PER_WEI = 1e11;
    uint256 private constant RESCALING = 1e5;
    /// @dev 1e5 ** 8 is more than any number of shares.
    uint16 private constant WIPED = 8;
    uint256 private constant BPS = 10_000;

    /// @notice `bps` of `amount`, rounded up, so that no slash rounds to nothing; at most `amount` since bps <= 10,000.
    function partOf(uint96 amount, uint16 bps) internal pure returns (uint96) {
        return uint96((uint256(amount) * bps + BPS - 1) / BPS);
    }

    /// @notice Shares that `amount` wei buy, rounded down.
    function sharesFor(Pool memory self, uint256 amount) internal pure returns (uint128) {
        return (amount * (self.shares + VIRTUAL_SHARES) / (self.tokens + VIRTUAL_TOKENS)).toUint128();
    }

    /// @notice Wei that `shares`, at most those of the pool, are worth, rounded down.
    function amountFor(Pool memory self, uint256 shares) internal pure returns (uint96) {
        return uint96(shares * (self.tokens + VIRTUAL_TOKENS) / (self.shares + VIRTUAL_SHARES));
    }

    /// @notice Wei that `LEAST_SHARES` cost, rounded up.
    function leastEntry(Pool memory self) internal pure returns (uint256) {
        return Math.ceilDiv(LEAST_SHARES * (self.tokens + VIRTUAL_TOKENS), self.shares + VIRTUAL_SHARES);
    }

    /// @notice Whether slashes left less than a hundred thousandth of what a share was worth at first.
    function isWornOut(Pool memory self) internal pure returns (bool) {
        return self.shares + VIRTUAL_SHARES > (self.tokens + VIRTUAL_TOKENS) * MOST_SHARES_PER_WEI;
    }

    /// @notice Add `amount` wei for as many shares as they buy.
    function enter(Pool memory self, uint96 amount) internal pure returns (uint128 shares) {
        shares = sharesFor(self, amount);
        self.tokens += amount;
        self.shares += shares;
    }

    /// @notice Take out what `shares` are worth.
    function redeem(Pool memory self, uint128 shares) internal pure returns (uint96 amount) {
        amount = amountFor(self, shares);
        self.tokens -= amount;
        self.shares -= shares;
    }

    /// @notice Lower a pool that always takes more by `amount`. Shares that became too cheap are counted in larger
    /// units, and those of an emptied pool not at all: entering stays possible, and worth what is paid for it.
    function reduce(Pool memory self, uint96 amount) internal pure {
        self.tokens -= amount;
        uint256 times = 0;
        if (self.tokens == 0) {
            self.shares = 0;
            times = WIPED;
        }
        for (; isWornOut(self); ++times) {
            self.shares = uint128(self.shares / RESCALING);
        }
        // After eight thousand slashes to nothing the scale stays: a slash never fails.
        self.scale = uint16(Math.min(self.scale + times, type(uint16).max));
    }

    /// @notice Shares that were bought at `scale` in today's unit, rounded down: all together never more than the
    /// pool's.
    function rescaled(Pool memory self, uint128 shares, uint16 scale) internal pure returns (uint128) {
        uint16 times = self.scale - scale;
        return times < WIPED ? uint128(shares / RESCALING ** times) : 0;
    }
}
