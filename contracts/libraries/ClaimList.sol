// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowSessions} from "../interfaces/escrow/IEscrowSessions.sol";

/// @title ClaimList: the totals of a new batch's vouchers, encoded for their event
/// @dev A pointer to memory that holds `[0x20][length][three words a claim]`, the data of `VouchersCommitted`. An event
/// of its own for each voucher, with topics and what its entry says already, costs 2,000 gas more.
library ClaimList {
    uint256 private constant HEAD = 0x40;
    uint256 private constant CLAIM = 0x60;

    /// @notice An empty list with room for `most` claims.
    function allocate(uint256 most) internal pure returns (uint256 list) {
        assembly ("memory-safe") {
            list := mload(0x40)
            mstore(list, 0x20)
            mstore(add(list, 0x20), 0)
            mstore(0x40, add(list, add(HEAD, mul(most, CLAIM))))
        }
    }

    /// @notice Adds one, for which there must be room.
    function push(uint256 list, uint96 amount, uint64 units, uint32 calls) internal pure {
        assembly ("memory-safe") {
            let length := mload(add(list, 0x20))
            let claim := add(add(list, HEAD), mul(length, CLAIM))
            mstore(claim, amount)
            mstore(add(claim, 0x20), units)
            mstore(add(claim, 0x40), calls)
            mstore(add(list, 0x20), add(length, 1))
        }
    }

    /// @notice emit VouchersCommitted(batchId, claims).
    function announce(uint256 list, uint64 batchId) internal {
        bytes32 topic = IEscrowSessions.VouchersCommitted.selector;
        assembly ("memory-safe") {
            log2(list, add(HEAD, mul(mload(add(list, 0x20)), CLAIM)), topic, batchId)
        }
    }
}
