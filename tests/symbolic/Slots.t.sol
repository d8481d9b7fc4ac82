// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {BatchSlot, BatchStatus, PackedBatch} from "../../contracts/libraries/BatchSlot.sol";
import {JobSlot, PackedJob} from "../../contracts/libraries/JobSlot.sol";

/// @title The stored words of jobs and batches, for every content
contract SlotProofs {
    /// @notice R3: what is put into a job's word comes out of it, and nothing else is set.
    function check_job_word__opened__reads_back(uint40 openedAt, uint40 deadline, uint16 terms) public pure {
        PackedJob slot = JobSlot.opened(openedAt, deadline, terms);
        assert(slot.state() == IEscrowJobs.JobState.OPEN && !slot.isCancelled());
        assert(slot.openedAt() == openedAt && slot.deadline() == deadline && slot.termsVersion() == terms);
        assert(PackedJob.unwrap(slot) >> 192 == 0);
    }

    /// @notice R3: a committed job has its place, keeps its times and terms, and is not open any more.
    function check_job_word__committed__keeps_what_was_opened(
        uint40 openedAt,
        uint40 due,
        uint16 terms,
        uint64 id,
        uint16 line
    ) public pure {
        IEscrowJobs.JobRecord memory record = JobSlot.opened(openedAt, due, terms).committed(id, line).record();
        assert(record.state == IEscrowJobs.JobState.COMMITTED && record.reason == IEscrowJobs.RefundReason.NONE);
        assert(record.batchId == id && record.index == line);
        assert(record.openedAt == openedAt && record.deadline == due && record.termsVersion == terms);
    }

    /// @notice R3: a job is refunded or committed, never both: each move leaves a state that the other refuses.
    function check_job_word__refund_xor_commit(uint40 openedAt, uint40 due, uint16 terms, uint64 id, uint16 line)
        public
        pure
    {
        PackedJob slot = JobSlot.opened(openedAt, due, terms);
        PackedJob back = slot.refunded(IEscrowJobs.RefundReason.EXPIRED);
        PackedJob gone = slot.committed(id, line);
        assert(back.state() != IEscrowJobs.JobState.OPEN && gone.state() != IEscrowJobs.JobState.OPEN);
        assert(back.state() != gone.state());
        assert(back.record().batchId == 0 && back.openedAt() == openedAt && back.termsVersion() == terms);
    }

    /// @notice R11: a cancel moves nothing but the deadline, and is forgotten by a commitment.
    function check_job_word__cancelled__moves_the_deadline_only(uint40 openedAt, uint40 due, uint40 later, uint16 terms)
        public
        pure
    {
        PackedJob slot = JobSlot.opened(openedAt, due, terms).cancelled(later);
        assert(slot.state() == IEscrowJobs.JobState.OPEN && slot.isCancelled());
        assert(slot.openedAt() == openedAt && slot.deadline() == later && slot.termsVersion() == terms);
        assert(!slot.committed(1, 0).isCancelled());
    }

    /// @notice R16: a batch's word keeps its digest, but for the byte of its status, through every move.
    function check_batch_word__moved__keeps_the_digest(bytes32 digest, uint8 from, uint8 to) public pure {
        if (from > 9 || to > 9) return;
        PackedBatch slot = BatchSlot.pack(digest, BatchStatus(from));
        assert(slot.matches(digest) && slot.status() == BatchStatus(from));
        slot = slot.moved(BatchStatus(to));
        assert(slot.matches(digest) && slot.status() == BatchStatus(to));
        assert(slot.record().digest == bytes32(uint256(digest) & ~uint256(0xff)));
    }

    /// @notice R16: two heads are told apart by every bit of the 248 that are kept.
    function check_batch_word__another_digest__does_not_match(bytes32 digest, bytes32 other) public pure {
        if (uint256(digest) >> 8 == uint256(other) >> 8) return;
        assert(!BatchSlot.pack(digest, BatchStatus.PENDING).matches(other));
    }

    /// @notice R3, R16: settled xor refunded: every status is pending, frozen, matured or forfeited, and exactly one.
    function check_batch_word__status__is_of_exactly_one_kind(bytes32 digest, uint8 status) public pure {
        if (status == 0 || status > 9) return;
        PackedBatch slot = BatchSlot.pack(digest, BatchStatus(status));
        IEscrowBatches.BatchRecord memory record = slot.record();
        uint256 kinds;
        if (slot.isPending()) ++kinds;
        if (slot.isFrozen()) ++kinds;
        if (record.state == IEscrowBatches.BatchState.MATURED) ++kinds;
        if (record.state == IEscrowBatches.BatchState.FORFEITED) ++kinds;
        assert(kinds == 1);
        // What is forfeited says why it returned the money; what matured says on whose word it paid.
        bool isPaid = record.outcome == IEscrowBatches.Outcome.PASS || record.outcome == IEscrowBatches.Outcome.DEFAULT;
        assert(isPaid == (record.state == IEscrowBatches.BatchState.MATURED));
    }
}
