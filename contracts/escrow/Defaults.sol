// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IJobEscrow} from "../interfaces/IJobEscrow.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {Batches} from "./Batches.sol";

/// @title Defaults: how a batch ends when no quorum decides
abstract contract Defaults is Batches {
    /// @inheritdoc IJobEscrow
    function recordStored(
        uint64 batchId,
        Entry[] calldata entries,
        uint16[] calldata indexes,
        bytes[][] calldata signatures
    ) external {
        BatchRecord memory record = _requirePending(batchId);
        if (indexes.length != signatures.length) revert LengthMismatch(indexes.length, signatures.length);
        uint256 until = _defaultFrom(record);
        if (block.timestamp >= until) revert TooLate(batchId, until);
        _requireEntries(batchId, record.entriesHash, entries);

        uint256 bitmap = _stored[batchId];
        for (uint256 i; i < indexes.length; ++i) {
            uint16 index = indexes[i];
            if (index >= entries.length) revert IndexOutOfRange(batchId, index);
            if (bitmap & (1 << index) != 0) continue; // recorded before: nothing to say again
            _committee.requireOneHonest(
                record.setVersion, storageReceiptDigest(entries[index].answerDigest), signatures[i]
            );
            bitmap |= 1 << index;
            emit AnswerStored(batchId, index);
        }
        _stored[batchId] = bitmap;
    }

    /// @inheritdoc IJobEscrow
    function matureByDefault(uint64 batchId, Entry[] calldata entries) external {
        BatchRecord memory record = _requirePending(batchId);
        uint256 from = _defaultFrom(record);
        if (block.timestamp < from) revert TooEarly(batchId, from);
        ProviderRecord memory its = providerRecord(record.provider);
        if (_isConvictedBatch(batchId, its)) revert BatchOfConvictedProvider(batchId, its.convictedThrough);
        if (its.frozenBatch != 0) revert ProviderIsFrozen(record.provider, its.frozenBatch);
        _requireEntries(batchId, record.entriesHash, entries);

        uint256 total;
        for (uint256 i; i < entries.length; ++i) {
            if (_isStored(batchId, i)) {
                total += entries[i].amount;
                _settleEntry(batchId, entries[i]);
            } else {
                _refundEntry(entries[i], RefundReason.NOT_DELIVERED);
            }
        }
        _mature(batchId, record.provider, Outcome.DEFAULT, total);
    }

    /// @inheritdoc IJobEscrow
    function storageReceiptDigest(bytes32 blob) public view returns (bytes32) {
        return _hashTypedDataV4(EscrowHashes.hashStorageReceipt(blob));
    }

    function _defaultFrom(BatchRecord memory record) private view returns (uint256) {
        return uint256(record.committedAt) + _maturityWindow + _evidenceWindow;
    }
}
