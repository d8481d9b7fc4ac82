// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IStaking} from "../interfaces/IStaking.sol";
import {SharePool} from "./SharePool.sol";

/// @title ExitQueue: up to sixteen withdrawals that wait for their release, each a share of one pool
/// @dev The delay may be shortened, so releases come in any order: every place is looked at, one bit says which are
/// taken.
library ExitQueue {
    using SharePool for SharePool.Pool;

    /// @param shares Of the pool, in the unit of `scale`.
    /// @param releaseAt Unix second from which it is paid.
    /// @param scale The pool's when it entered.
    struct Exit {
        uint128 shares;
        uint40 releaseAt;
        uint16 scale;
    }

    uint256 internal constant LIMIT = 16;

    /// @notice Whether every place is taken.
    function isFull(uint16 used) internal pure returns (bool) {
        return used == type(uint16).max;
    }

    /// @notice Put an exit into the first free place of a queue that is not full.
    /// @return The taken places.
    function put(Exit[16] storage self, uint16 used, Exit memory exit) internal returns (uint16) {
        uint256 place;
        while (used >> place & 1 == 1) ++place;
        self[place] = exit;
        return uint16(used | 1 << place);
    }

    /// @notice Take out every exit that is due.
    /// @return shares Of all that were due, in the pool's unit of today.
    /// @return left The places that are still taken: `used` if nothing was due.
    /// @return nextAt The earliest release of those; zero if none is left.
    function takeDue(Exit[16] storage self, uint16 used, SharePool.Pool memory pool)
        internal
        returns (uint128 shares, uint16 left, uint256 nextAt)
    {
        left = used;
        for (uint256 place; used >> place != 0; ++place) {
            if (used >> place & 1 == 0) continue;
            Exit memory exit = self[place];
            if (exit.releaseAt <= block.timestamp) {
                shares += pool.rescaled(exit.shares, exit.scale);
                left = uint16(left ^ 1 << place);
                delete self[place];
            } else if (nextAt == 0 || exit.releaseAt < nextAt) {
                nextAt = exit.releaseAt;
            }
        }
    }

    /// @notice What each exit would pay now, and from when.
    function list(Exit[16] storage self, uint16 used, SharePool.Pool memory pool)
        internal
        view
        returns (IStaking.Unstaking[] memory exits)
    {
        uint256 count = 0;
        for (uint256 bits = used; bits != 0; bits &= bits - 1) {
            ++count;
        }
        exits = new IStaking.Unstaking[](count);
        for (uint256 place = LIMIT; count != 0;) {
            if (used >> --place & 1 == 0) continue;
            Exit memory exit = self[place];
            uint96 amount = pool.amountFor(pool.rescaled(exit.shares, exit.scale));
            exits[--count] = IStaking.Unstaking(amount, exit.releaseAt);
        }
    }
}
