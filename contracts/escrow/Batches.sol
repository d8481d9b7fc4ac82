// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBatches} from "../interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../interfaces/escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "../interfaces/escrow/IEscrowTerms.sol";
import {BatchSlot, BatchStatus, PackedBatch} from "../libraries/BatchSlot.sol";
import {ClaimList} from "../libraries/ClaimList.sol";
import {EntryList} from "../libraries/EntryList.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {JobMath} from "../libraries/JobMath.sol";
import {PackedJob} from "../libraries/JobSlot.sol";
import {FreezeRecord, Ledger} from "./EscrowState.sol";
import {Jobs} from "./Jobs.sol";
import {Vouchers} from "./Vouchers.sol";

/// @title Batches: a provider's commitments
/// @dev A committed job is not written again: its state follows from its batch. A frozen provider may commit: what it
/// commits is reached by a conviction like everything else, and an honest one loses nothing by a wrong freeze.
abstract contract Batches is Jobs, Vouchers, IEscrowBatches {
    /// @dev One bit of a word for each entry's stored answer, and at most half of a word used.
    uint256 internal constant MAX_BATCH = 128;

    /// @inheritdoc IEscrowBatches
    function commitBatch(
        Commitment[] calldata commitments,
        IEscrowSessions.Voucher[] calldata vouchers,
        IEscrowSessions.InFlightClaim[] calldata claims
    ) external returns (uint64 batchId) {
        (address provider, uint96 active) = _staking.speakerOf(msg.sender);
        if (provider == address(0)) revert UnknownNodeKey(msg.sender);
        uint256 jobs = commitments.length;
        uint256 size = jobs + vouchers.length;
        if (size == 0 || size > MAX_BATCH) revert BatchSize(size, MAX_BATCH);
        batchId = ++_state.batchCount;
        Draft memory draft;
        draft.batchId = batchId;
        draft.provider = provider;
        draft.convictedAt = _state.providers[provider].convictedAt;
        draft.entries = EntryList.allocate(size);
        draft.claims = ClaimList.allocate(vouchers.length);
        for (uint256 i; i < jobs; ++i) {
            _commitJob(commitments[i], i, draft);
        }
        _commitVouchers(vouchers, claims, jobs, draft);
        _requireDeterrence(provider, active, _neededStake(draft));
        if (jobs != 0) _state.providers[provider].reserved -= draft.reserved;
        _expose(draft.vouchers);
        _store(draft);
        if (vouchers.length != 0) ClaimList.announce(draft.claims, batchId);
    }

    /// @inheritdoc IEscrowJobs
    function job(bytes32 jobId) external view returns (JobRecord memory record) {
        record = _state.jobs[jobId].record();
        if (record.state != JobState.COMMITTED) return record;
        PackedBatch its = _state.batches[record.batchId];
        BatchStatus status = its.status();
        if (status < BatchStatus.MATURED_PASS) return record;
        if (status >= BatchStatus.FORFEITED_FRAUD) {
            record.reason = its.refundReason();
        } else if (status == BatchStatus.MATURED_DEFAULT && _state.stored[record.batchId] & (1 << record.index) == 0) {
            record.reason = RefundReason.NOT_DELIVERED;
        }
        record.state = record.reason == RefundReason.NONE ? JobState.SETTLED : JobState.REFUNDED;
    }

    /// @inheritdoc IEscrowBatches
    function batch(uint64 batchId) public view returns (BatchRecord memory) {
        return _state.batches[batchId].record();
    }

    /// @inheritdoc IEscrowBatches
    function freezeOf(uint64 batchId) external view returns (Freeze memory) {
        FreezeRecord memory its = _state.freezes[batchId];
        return Freeze(its.until, its.openedAt, its.appealed);
    }

    /// @inheritdoc IEscrowBatches
    function batchCount() external view returns (uint64) {
        return _state.batchCount;
    }

    /// @inheritdoc IEscrowBatches
    function storedBitmap(uint64 batchId) external view returns (uint256) {
        return _state.stored[batchId];
    }

    /// @inheritdoc IEscrowBatches
    function headDigest(uint64 batchId, BatchHead calldata head) external pure returns (bytes32) {
        return EscrowHashes.hashHead(batchId, head);
    }

    function _commitJob(Commitment calldata commitment, uint256 index, Draft memory draft) private {
        (bytes32 jobId, uint96 price, uint96 amount) = _requireDeliverable(commitment, draft.provider);
        PackedJob slot = _state.jobs[jobId];
        if (slot.state() != JobState.OPEN) revert WrongJobState(jobId, slot.state());
        if (_isConvicted(slot.openedAt(), draft.convictedAt)) revert JobOfConvictedProvider(jobId, draft.convictedAt);
        if (block.timestamp >= slot.deadline()) revert DeadlinePassed(jobId, slot.deadline());
        _requireSameTerms(jobId, slot.termsVersion(), draft);
        _state.jobs[jobId] = slot.committed(draft.batchId, uint16(index));
        EntryList.put(
            draft.entries,
            index,
            jobId,
            commitment.job.requester,
            price,
            amount,
            commitment.leaf,
            commitment.answerDigest
        );
        draft.reserved += price;
        if (price > draft.largest) draft.largest = price;
    }

    /// @param jobs Entries before the first voucher's.
    function _commitVouchers(
        IEscrowSessions.Voucher[] calldata vouchers,
        IEscrowSessions.InFlightClaim[] calldata claims,
        uint256 jobs,
        Draft memory draft
    ) private {
        uint256 next;
        for (uint256 i; i < vouchers.length; ++i) {
            if (next != claims.length && claims[next].voucher == i) {
                (draft.claim, draft.hasClaim) = (claims[next], true);
                ++next;
            }
            _commitVoucher(vouchers[i], jobs + i, draft);
        }
        if (next != claims.length) revert IEscrowSessions.ClaimMisplaced(next, claims[next].voucher);
    }

    function _commitVoucher(IEscrowSessions.Voucher calldata voucher, uint256 index, Draft memory draft) private {
        (bytes32 sessionId, address requester, uint96 added, bytes32 head, uint16 version) = _claim(voucher, draft);
        _requireSameTerms(sessionId, version, draft);
        EntryList.put(draft.entries, index, sessionId, requester, added, added, head, 0);
        draft.vouchers += added;
        uint96 unit = voucher.session.largestCall;
        if (added < unit) unit = added;
        if (unit > draft.largest) draft.largest = unit;
    }

    /// @dev Reverts unless the line is this provider's and claims something that can be checked.
    function _requireDeliverable(Commitment calldata commitment, address provider)
        private
        view
        returns (bytes32 jobId, uint96 price, uint96 amount)
    {
        jobId = jobIdOf(commitment.job);
        if (commitment.job.provider != provider) revert NotProvider(jobId, msg.sender);
        (price, amount) = (commitment.job.price, commitment.amount);
        if (amount > price) revert AmountOverPrice(jobId, amount, price);
        if (commitment.leaf == 0 || commitment.answerDigest == 0) revert ZeroDigest();
    }

    /// @dev Versions start at 1, so the first line names the batch's.
    function _requireSameTerms(bytes32 id, uint16 version, Draft memory draft) private pure {
        if (draft.termsVersion == 0) draft.termsVersion = version;
        else if (version != draft.termsVersion) revert MixedTerms(id, version, draft.termsVersion);
    }

    function _neededStake(Draft memory draft) private view returns (uint256) {
        IEscrowTerms.Parameters storage terms = _state.terms[draft.termsVersion];
        return JobMath.neededStake(draft.largest, terms.slashBps, terms.challengerBps, terms.detectionBps);
    }

    /// @dev Adds what vouchers claim to the exposure. Refuses any commitment while the oracles cover less than is
    /// exposed.
    function _expose(uint96 added) private {
        Ledger memory ledger = _state.ledger;
        uint256 exposed = uint256(ledger.exposure) + added;
        uint256 covered = uint256(ledger.coverage) * 1 gwei;
        if (exposed > covered) revert IEscrowTerms.ValueAtRisk(exposed, covered);
        if (added != 0) _state.ledger.exposure = uint96(exposed);
    }

    function _store(Draft memory draft) private {
        uint16 setVersion = _state.setVersion;
        BatchHead memory head = BatchHead(
            draft.provider,
            uint40(block.timestamp),
            uint40(block.number),
            setVersion,
            draft.termsVersion,
            EntryList.hash(draft.entries)
        );
        uint64 batchId = draft.batchId;
        _state.batches[batchId] = BatchSlot.pack(EscrowHashes.hashHead(batchId, head), BatchStatus.PENDING);
        EntryList.announce(draft.entries, batchId, draft.provider, setVersion, draft.termsVersion);
    }
}
