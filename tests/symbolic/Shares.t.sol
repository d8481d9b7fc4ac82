// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {SharePool} from "../../contracts/libraries/SharePool.sol";

/// @title Pools of shares and slashes, for every amount
/// @dev Products of two unknowns are hard on a solver, so each proof leaves open what it is about and takes the state of
/// the pool from the cases that a campaign of moves meets: fresh, in use, slashed.
contract ShareProofs {
    using SharePool for SharePool.Pool;

    /// @notice R52: entering a fresh pool and leaving at once returns at most what was paid, and loses less than a wei.
    function check_shares__round_trip_in_a_fresh_pool__never_gains(uint64 amount) public pure {
        if (amount == 0) return;
        SharePool.Pool memory pool;
        uint128 shares = pool.enter(amount);
        uint96 back = pool.redeem(shares);
        assert(back <= amount);
        assert(uint256(back) + 1 >= amount);
    }

    /// @notice R52: nor does it in a pool that others use.
    function check_shares__round_trip_beside_others__never_gains(uint32 amount) public pure {
        if (amount == 0) return;
        SharePool.Pool memory pool = SharePool.Pool(3e9 + 7, 1e15, 0, 0);
        uint128 shares = pool.enter(amount);
        uint96 back = pool.redeem(shares);
        assert(back <= amount);
        // The others have what they had, or more.
        assert(pool.tokens >= 3e9 + 7 && pool.shares == 1e15);
    }

    /// @notice R52: whoever enters after a slash gets back no more than it paid.
    function check_shares__round_trip_after_a_slash__never_gains(uint32 amount) public pure {
        if (amount == 0) return;
        SharePool.Pool memory pool = SharePool.Pool(4e9, 4e15, 0, 0);
        pool.reduce(SharePool.partOf(4e9, 4_000));
        uint128 shares = pool.enter(amount);
        assert(pool.redeem(shares) <= amount);
    }

    /// @notice R19: a slash takes its share of a part rounded up: never more than the part, never nothing of something.
    function check_slash__of_a_part__is_its_share_rounded_up(uint96 amount) public pure {
        uint96 part = SharePool.partOf(amount, 5_000);
        assert(part <= amount);
        assert(uint256(part) * 10_000 >= uint256(amount) * 5_000);
        if (part != 0) assert((uint256(part) - 1) * 10_000 < uint256(amount) * 5_000);
    }

    /// @notice R53: what a slash took is the challenger's share and the burned rest, and nothing else.
    function check_slash__share_and_rest__are_the_whole(uint96 slashed, uint96 maxShare) public pure {
        uint256 share = uint256(slashed) * 1_000 / 10_000;
        if (share > maxShare) share = maxShare;
        uint96 burned = slashed - uint96(share);
        assert(share <= maxShare && share + burned == slashed);
        assert(share * 10 <= slashed);
    }

    /// @notice R52: a reduction leaves a pool that takes more: its shares are never worth too little to count.
    function check_reduce__to_nothing__starts_afresh(uint96 tokens, uint128 shares) public pure {
        if (shares > 1e38) return;
        SharePool.Pool memory pool = SharePool.Pool(tokens, shares, 0, 0);
        pool.reduce(tokens);
        assert(pool.tokens == 0 && pool.shares == 0 && !pool.isWornOut());
        assert(pool.rescaled(shares, 0) == 0);
    }
}
