// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {SharePool} from "../../contracts/libraries/SharePool.sol";

/// @title Pools of shares and slashes, for every amount
contract ShareProofs {
    using SharePool for SharePool.Pool;

    /// @notice R53: what a slash took is the challenger's share and the burned rest, and nothing else.
    function check_slash__share_and_rest__are_the_whole(uint96 slashed, uint96 maxShare) public pure {
        uint256 share = uint256(slashed) * 1_000 / 10_000;
        if (share > maxShare) share = maxShare;
        uint96 burned = slashed - uint96(share);
        assert(share <= maxShare && share + burned == slashed);
    }

    /// @notice R52: a reduction leaves a pool that takes more: its shares are never worth too little to count.
    function check_reduce__to_nothing__starts_afresh(uint96 tokens, uint128 shares) public pure {
        if (shares > 1e38) return;
        SharePool.Pool memory pool = SharePool.Pool(tokens, shares, 0, 0);
        pool.reduce(tokens);
        assert(pool.tokens == 0 && pool.shares == 0 && !pool.isWornOut());
        assert(pool.rescaled(shares, 0) == 0);
    }

    /// @notice R52: shares keep their number as long as nothing was rescaled, and count nothing once wiped.
    function check_rescaled__in_the_same_scale__is_the_same(uint128 shares, uint16 scale) public pure {
        SharePool.Pool memory pool = SharePool.Pool(1, 1, scale, 0);
        assert(pool.rescaled(shares, scale) == shares);
        if (scale >= 8) assert(pool.rescaled(shares, scale - 8) == 0);
    }
}
