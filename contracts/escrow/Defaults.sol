// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBatches} from "../interfaces/escrow/IEscrowBatches.sol";
import {IEscrowEnds} from "../interfaces/escrow/IEscrowEnds.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {IEscrowTerms} from "../interfaces/escrow/IEscrowTerms.sol";
import {BatchStatus, PackedBatch} from "../libraries/BatchSlot.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {Payoffs} from "./Payoffs.sol";

/// @title Defaults: how a batch ends when no quorum decides
abstract contract Defaults is Payoffs, IEscrowEnds {
    /// @inheritdoc IEscrowEnds
    function recordStored(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries,
        uint16[] calldata indexes,
        bytes[][] calldata signatures
    ) external {
        _requirePending(batchId, head);
        if (indexes.length != signatures.length) {
            revert IEscrowBatches.LengthMismatch(indexes.length, signatures.length);
        }
        uint256 until = _defaultFrom(batchId, head);
        if (block.timestamp >= until) revert IEscrowBatches.TooLate(batchId, until);
        _requireEntries(batchId, head.entriesHash, entries);
        for (uint256 i; i < indexes.length; ++i) {
            _record(head.setVersion, batchId, entries, indexes[i], signatures[i]);
        }
    }

    /// @inheritdoc IEscrowEnds
    function matureByDefault(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries
    ) external {
        _requirePending(batchId, head);
        uint256 from = _defaultFrom(batchId, head);
        if (block.timestamp < from) revert IEscrowBatches.TooEarly(batchId, from);
        IEscrowJobs.ProviderRecord memory its = _state.providers[head.provider];
        if (batchId <= its.convictedThrough) {
            revert IEscrowBatches.BatchOfConvictedProvider(batchId, its.convictedThrough);
        }
        if (its.frozenBatch != 0) revert IEscrowJobs.ProviderIsFrozen(head.provider, its.frozenBatch);
        _requireEntries(batchId, head.entriesHash, entries);

        uint256 bitmap = _state.stored[batchId];
        Sums memory sums;
        for (uint256 i; i < entries.length; ++i) {
            if (entries[i].answerDigest == 0 || bitmap & (1 << i) != 0) {
                _settleOne(batchId, entries[i], sums);
            } else {
                sums.price += entries[i].price;
                _refundOne(entries[i], IEscrowJobs.RefundReason.NOT_DELIVERED);
            }
        }
        _mature(batchId, head, BatchStatus.MATURED_DEFAULT, sums);
    }

    /// @inheritdoc IEscrowEnds
    function storageReceiptDigest(bytes32 blob) public view returns (bytes32) {
        return _hashTypedDataV4(EscrowHashes.hashStorageReceipt(blob));
    }

    function _record(
        uint16 setVersion,
        uint64 batchId,
        IEscrowBatches.Entry[] calldata entries,
        uint16 index,
        bytes[] calldata signatures
    ) private {
        if (index >= entries.length) revert IEscrowBatches.IndexOutOfRange(batchId, index);
        uint256 bitmap = _state.stored[batchId];
        if (bitmap & (1 << index) != 0) return; // recorded before: nothing to say again
        _committee.requireOneHonest(setVersion, storageReceiptDigest(entries[index].answerDigest), signatures);
        _state.stored[batchId] = bitmap | 1 << index;
        emit IEscrowBatches.AnswerStored(batchId, index);
    }

    function _requirePending(uint64 batchId, IEscrowBatches.BatchHead calldata head) private view {
        PackedBatch packed = _requireHead(batchId, head);
        if (!packed.isPending()) revert IEscrowBatches.WrongBatchState(batchId, packed.record().state);
    }

    /// @dev Openings that were posted on-chain start the window again: a provider that posts rubbish in the last second
    /// must not be paid before the oracles could read it.
    function _defaultFrom(uint64 batchId, IEscrowBatches.BatchHead calldata head) private view returns (uint256) {
        uint256 openedAt = _state.freezes[batchId].openedAt;
        IEscrowTerms.Parameters storage terms = _state.terms[head.termsVersion];
        uint256 from = openedAt == 0 ? head.committedAt : openedAt;
        return from + terms.maturityWindow + terms.evidenceWindow;
    }
}
