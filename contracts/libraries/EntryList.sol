// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBatches} from "../interfaces/escrow/IEscrowBatches.sol";

/// @title EntryList: the entries of a new batch, encoded once for both their hash and their event
/// @dev A pointer to memory that holds `[setVersion][termsVersion][0x20 or 0x60][length][six words an entry]`: from the
/// third word on this is abi.encode(Entry[]), and from the first on the data of `BatchCommitted`.
/// An array of structs in memory would be encoded twice, field by field, for 800 gas an entry.
library EntryList {
    uint256 private constant HEAD = 0x80;
    uint256 private constant ENTRY = 0xc0;

    /// @notice Room for `length` entries, each of which has to be `put`.
    function allocate(uint256 length) internal pure returns (uint256 list) {
        assembly ("memory-safe") {
            list := mload(0x40)
            mstore(add(list, 0x60), length)
            mstore(0x40, add(list, add(HEAD, mul(length, ENTRY))))
        }
    }

    /// @param index Below the length.
    function put(
        uint256 list,
        uint256 index,
        bytes32 id,
        address requester,
        uint96 price,
        uint96 amount,
        bytes32 leaf,
        bytes32 answerDigest
    ) internal pure {
        assembly ("memory-safe") {
            let entry := add(add(list, HEAD), mul(index, ENTRY))
            mstore(entry, id)
            mstore(add(entry, 0x20), requester)
            mstore(add(entry, 0x40), price)
            mstore(add(entry, 0x60), amount)
            mstore(add(entry, 0x80), leaf)
            mstore(add(entry, 0xa0), answerDigest)
        }
    }

    /// @notice keccak256(abi.encode(Entry[])).
    function hash(uint256 list) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            mstore(add(list, 0x40), 0x20)
            digest := keccak256(add(list, 0x40), add(0x40, mul(mload(add(list, 0x60)), ENTRY)))
        }
    }

    /// @notice emit BatchCommitted(batchId, provider, setVersion, termsVersion, entries).
    function announce(uint256 list, uint64 batchId, address provider, uint16 setVersion, uint16 termsVersion) internal {
        bytes32 topic = IEscrowBatches.BatchCommitted.selector;
        assembly ("memory-safe") {
            mstore(list, setVersion)
            mstore(add(list, 0x20), termsVersion)
            mstore(add(list, 0x40), 0x60)
            log3(list, add(HEAD, mul(mload(add(list, 0x60)), ENTRY)), topic, batchId, provider)
        }
    }
}
