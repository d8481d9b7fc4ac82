// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IJobEscrow} from "../interfaces/IJobEscrow.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {EntryList} from "../libraries/EntryList.sol";
import {JobMath} from "../libraries/JobMath.sol";
import {PackedJob} from "../libraries/JobSlot.sol";
import {Jobs} from "./Jobs.sol";

/// @title Batches: a provider's commitments, and what every way out of one has in common
/// @dev A committed job is not written again: its state follows from its batch.
abstract contract Batches is Jobs {
    /// @dev One bit of a word for each entry's stored answer, and at most half of a word used.
    uint256 internal constant MAX_BATCH = 128;

    uint64 private _batchCount;
    mapping(uint64 batchId => BatchRecord) internal _batches;
    mapping(uint64 batchId => uint256) internal _stored;

    /// @inheritdoc IJobEscrow
    function commitBatch(Commitment[] calldata commitments) external returns (uint64 batchId) {
        address provider = _providerOf(msg.sender);
        uint256 size = commitments.length;
        if (size == 0 || size > MAX_BATCH) revert BatchSize(size, MAX_BATCH);
        ProviderRecord storage record = _providers[provider];
        if (record.frozenBatch != 0) revert ProviderIsFrozen(provider, record.frozenBatch);

        batchId = ++_batchCount;
        uint256 entries = EntryList.allocate(size);
        uint40 convictedAt = record.convictedAt;
        uint96 total;
        uint96 largest;
        for (uint256 i; i < size; ++i) {
            Commitment calldata commitment = commitments[i];
            bytes32 jobId = _requireDeliverable(commitment, provider);
            _commitJob(jobId, convictedAt, batchId, uint16(i));
            EntryList.put(entries, i, jobId, commitment);
            uint96 price = commitment.job.price;
            total += price;
            if (price > largest) largest = price;
        }
        _requireDeterrence(provider, largest);
        record.reserved -= total;
        _store(batchId, provider, entries);
    }

    /// @inheritdoc IJobEscrow
    function job(bytes32 jobId) external view returns (JobRecord memory record) {
        record = _jobs[jobId].record();
        if (record.state != JobState.COMMITTED) return record;
        BatchRecord memory its = batch(record.batchId);
        if (its.state == BatchState.FORFEITED) {
            record.reason = its.outcome == Outcome.FRAUD ? RefundReason.FRAUD : RefundReason.CONVICTED;
        } else if (its.state != BatchState.MATURED) {
            return record;
        } else if (its.outcome == Outcome.NOT_OPENED) {
            record.reason = RefundReason.NOT_OPENED;
        } else if (its.outcome == Outcome.DEFAULT && !_isStored(record.batchId, record.index)) {
            record.reason = RefundReason.NOT_DELIVERED;
        }
        record.state = record.reason == RefundReason.NONE ? JobState.SETTLED : JobState.REFUNDED;
    }

    /// @inheritdoc IJobEscrow
    function batch(uint64 batchId) public view returns (BatchRecord memory) {
        return _batches[batchId];
    }

    /// @inheritdoc IJobEscrow
    function batchCount() public view returns (uint64) {
        return _batchCount;
    }

    /// @inheritdoc IJobEscrow
    function storedBitmap(uint64 batchId) external view returns (uint256) {
        return _stored[batchId];
    }

    /// @dev Whether the last conviction of the batch's provider reaches it. Ids start at 1 and `convictedThrough` at 0.
    function _isConvictedBatch(uint64 batchId, ProviderRecord memory record) internal pure returns (bool) {
        return batchId <= record.convictedThrough;
    }

    function _isStored(uint64 batchId, uint256 index) internal view returns (bool) {
        return _stored[batchId] & (1 << index) != 0;
    }

    function _requirePending(uint64 batchId) internal view returns (BatchRecord memory record) {
        record = batch(batchId);
        if (record.state != BatchState.PENDING) revert WrongBatchState(batchId, record.state);
    }

    function _requireEntries(uint64 batchId, bytes32 committed, Entry[] calldata entries) internal pure {
        bytes32 given = EscrowHashes.hashEntries(entries);
        if (given != committed) revert EntriesMismatch(batchId, given, committed);
    }

    /// @dev Ends a batch by paying its provider `payment` wei less the fee; the entries are paid off by the caller.
    function _mature(uint64 batchId, address provider, Outcome outcome, uint256 payment) internal {
        uint256 fee = JobMath.feeOf(payment, _feeBps);
        BatchRecord storage record = _batches[batchId];
        record.state = BatchState.MATURED;
        record.outcome = outcome;
        _takeFee(fee);
        _credit(provider, payment - fee);
        emit BatchMatured(batchId, provider, outcome, payment - fee, fee);
    }

    function _settleEntry(uint64 batchId, Entry calldata entry) internal {
        uint96 amount = entry.amount;
        uint96 refunded = entry.price - amount;
        _credit(entry.requester, refunded);
        emit JobSettled(entry.jobId, batchId, amount, refunded);
    }

    function _refundEntry(Entry calldata entry, RefundReason reason) internal {
        address requester = entry.requester;
        uint96 price = entry.price;
        _credit(requester, price);
        emit JobRefunded(entry.jobId, requester, price, reason);
    }

    /// @dev Reverts unless the line is this provider's and claims something that can be checked.
    function _requireDeliverable(Commitment calldata commitment, address provider)
        private
        view
        returns (bytes32 jobId)
    {
        jobId = jobIdOf(commitment.job);
        if (commitment.job.provider != provider) revert NotProvider(jobId, msg.sender);
        if (commitment.amount > commitment.job.price) {
            revert AmountOverPrice(jobId, commitment.amount, commitment.job.price);
        }
        if (commitment.leaf == 0 || commitment.answerDigest == 0) revert ZeroDigest();
    }

    function _commitJob(bytes32 jobId, uint40 convictedAt, uint64 batchId, uint16 index) private {
        PackedJob slot = _jobs[jobId];
        if (slot.state() != JobState.OPEN) revert WrongJobState(jobId, slot.state());
        if (_isConvicted(slot.openedAt(), convictedAt)) revert JobOfConvictedProvider(jobId, convictedAt);
        if (block.timestamp >= slot.deadline()) revert DeadlinePassed(jobId, slot.deadline());
        _jobs[jobId] = slot.committed(batchId, index);
    }

    /// @param entries An `EntryList`.
    function _store(uint64 batchId, address provider, uint256 entries) private {
        uint16 setVersion = _committee.version();
        _batches[batchId] = BatchRecord(
            EntryList.hash(entries),
            provider,
            uint32(block.timestamp),
            uint32(block.number),
            setVersion,
            BatchState.PENDING,
            Outcome.NONE
        );
        EntryList.announce(entries, batchId, provider, setVersion);
    }
}
