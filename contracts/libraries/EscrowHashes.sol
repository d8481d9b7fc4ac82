// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {IEscrowBatches} from "../interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../interfaces/escrow/IEscrowSessions.sol";

/// @title EscrowHashes: what is signed in the escrow's domain, and what it stores instead of the preimage
/// @notice The same digests as `protocol/messages.py`. The structs that are hashed hold only static fields, whose ABI
/// encoding is the EIP-712 encoding of the same fields.
library EscrowHashes {
    bytes32 private constant OFFER_TYPEHASH = keccak256(
        "Offer(address provider,bytes32 model,bytes32 profile,uint96 inputPrice,uint96 outputPrice,"
        "uint32 maxInputTokens,uint32 maxOutputTokens,uint32 minDuration,"
        "uint96 maxOutstanding,uint64 nonce,uint40 expiry)"
    );
    bytes32 private constant DECISION_TYPEHASH =
        keccak256("Decision(uint64 batchId,bytes32 entriesHash,uint8 outcome,uint96 amount,uint32 auditors)");
    bytes32 private constant SETTLEMENT_TYPEHASH = keccak256(
        "Settlement(uint16 setVersion,Decision[] decisions)"
        "Decision(uint64 batchId,bytes32 entriesHash,uint8 outcome,uint96 amount,uint32 auditors)"
    );
    bytes32 private constant STORAGE_RECEIPT_TYPEHASH = keccak256("StorageReceipt(bytes32 blob)");

    bytes32 private constant VOUCHER_TYPEHASH =
        keccak256("Voucher(bytes32 session,uint96 amount,uint64 units,uint32 calls,bytes32 head,bytes32 inFlight)");

    /// @notice keccak256(abi.encode(OFFER_TYPEHASH, offer)); in calldata its eleven words are their own encoding.
    function hashOffer(IEscrowJobs.Offer calldata offer) internal pure returns (bytes32 hash) {
        bytes32 typehash = OFFER_TYPEHASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typehash)
            calldatacopy(add(free, 0x20), offer, 0x160)
            hash := keccak256(free, 0x180)
        }
    }

    function hashSettlement(uint16 setVersion, IEscrowBatches.Decision[] calldata decisions)
        internal
        pure
        returns (bytes32)
    {
        bytes32[] memory hashes = new bytes32[](decisions.length);
        for (uint256 i; i < decisions.length; ++i) {
            hashes[i] = keccak256(abi.encode(DECISION_TYPEHASH, decisions[i]));
        }
        return keccak256(abi.encode(SETTLEMENT_TYPEHASH, setVersion, keccak256(abi.encodePacked(hashes))));
    }

    function hashStorageReceipt(bytes32 blob) internal pure returns (bytes32) {
        return keccak256(abi.encode(STORAGE_RECEIPT_TYPEHASH, blob));
    }

    /// @notice keccak256(abi.encode(entries)). In calldata an array of static structs is its own encoding.
    /// @dev Copies it as it stands behind the offset and the length, which costs a tenth of encoding it again. Calldata
    /// with dirty high bits then hashes to something that no batch stores, so it is refused as a mismatch.
    function hashEntries(IEscrowBatches.Entry[] calldata entries) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := mul(entries.length, 0xc0)
            mstore(free, 0x20)
            mstore(add(free, 0x20), entries.length)
            calldatacopy(add(free, 0x40), entries.offset, size)
            hash := keccak256(free, add(size, 0x40))
        }
    }

    /// @notice keccak256(abi.encode(block.chainid, escrow, job)). In memory a struct of static fields is its own
    /// encoding, as long as the compiler wrote every field: it writes them clean.
    function jobId(address escrow, IEscrowJobs.Job memory job) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, chainid())
            mstore(add(free, 0x20), escrow)
            mcopy(add(free, 0x40), job, 0x100)
            hash := keccak256(free, 0x140)
        }
    }

    /// @notice The same for a job that lies in calldata, whose eight words are its encoding already.
    /// @dev Dirty high bits hash to an id that no job has.
    function givenJobId(address escrow, IEscrowJobs.Job calldata job) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, chainid())
            mstore(add(free, 0x20), escrow)
            calldatacopy(add(free, 0x40), job, 0x100)
            hash := keccak256(free, 0x140)
        }
    }

    /// @notice keccak256(abi.encode(block.chainid, escrow, session)).
    function sessionId(address escrow, IEscrowSessions.Session memory session) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, chainid())
            mstore(add(free, 0x20), escrow)
            mcopy(add(free, 0x40), session, 0xe0)
            hash := keccak256(free, 0x120)
        }
    }

    /// @notice The same for a session that lies in calldata, whose seven words are its encoding already.
    /// @dev Dirty high bits hash to an id that no session has.
    function givenSessionId(address escrow, IEscrowSessions.Session calldata session)
        internal
        view
        returns (bytes32 hash)
    {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, chainid())
            mstore(add(free, 0x20), escrow)
            calldatacopy(add(free, 0x40), session, 0xe0)
            hash := keccak256(free, 0x120)
        }
    }

    /// @notice What the requester or its key signs, without the domain.
    function hashVoucher(bytes32 session, uint96 amount, uint64 units, uint32 calls, bytes32 head, bytes32 inFlight)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(VOUCHER_TYPEHASH, session, amount, units, calls, head, inFlight));
    }

    /// @notice The same for a voucher that lies in calldata: amount, units, calls, head and inFlight stand there one
    /// after the other.
    /// @dev Dirty high bits hash to something that nobody signed.
    function hashGivenVoucher(bytes32 session, IEscrowSessions.Voucher calldata voucher)
        internal
        pure
        returns (bytes32 hash)
    {
        bytes32 typehash = VOUCHER_TYPEHASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typehash)
            mstore(add(free, 0x20), session)
            calldatacopy(add(free, 0x40), add(voucher, 0xe0), 0xa0)
            hash := keccak256(free, 0xe0)
        }
    }

    /// @notice h = keccak256(head, inFlight), then h = keccak256(h, link) for each link.
    function claimedHead(bytes32 head, bytes32 inFlight, bytes32[] memory links) internal pure returns (bytes32 h) {
        h = Hashes.efficientKeccak256(head, inFlight);
        for (uint256 i; i < links.length; ++i) {
            h = Hashes.efficientKeccak256(h, links[i]);
        }
    }

    /// @notice keccak256(abi.encode(batchId, head)).
    function hashHead(uint64 batchId, IEscrowBatches.BatchHead memory head) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, and(batchId, 0xffffffffffffffff))
            mcopy(add(free, 0x20), head, 0xc0)
            hash := keccak256(free, 0xe0)
        }
    }

    /// @notice The same for a head that lies in calldata, whose six words are its encoding already.
    /// @dev Dirty high bits hash to something that no batch stores.
    function hashGivenHead(uint64 batchId, IEscrowBatches.BatchHead calldata head)
        internal
        pure
        returns (bytes32 hash)
    {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, and(batchId, 0xffffffffffffffff))
            calldatacopy(add(free, 0x20), head, 0xc0)
            hash := keccak256(free, 0xe0)
        }
    }
}
