// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {JobSlot, PackedJob} from "../../contracts/libraries/JobSlot.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {Base} from "./Base.sol";

/// @title A job's word says what was put into it, over the whole range of every field
contract JobSlotTest is Base {
    function test_slot__opened__holds_its_times_and_nothing_else(uint40 openedAt, uint40 deadline) public pure {
        _assertRecord(
            JobSlot.opened(openedAt, deadline, 3), IEscrowJobs.JobRecord(_open(), _none(), openedAt, deadline, 0, 0, 3)
        );
    }

    function test_slot__cancelled__keeps_the_opening_and_moves_the_deadline(
        uint40 openedAt,
        uint40 deadline,
        uint40 later
    ) public pure {
        PackedJob slot = JobSlot.opened(openedAt, deadline, 3).cancelled(later);
        IEscrowJobs.RefundReason reason = IEscrowJobs.RefundReason.CANCELLED;
        _assertRecord(slot, IEscrowJobs.JobRecord(_open(), reason, openedAt, later, 0, 0, 3));
        _assertTrue(slot.isCancelled(), "cancelled");
    }

    function test_slot__committed__holds_batch_and_index_and_forgets_a_cancel(
        uint40 openedAt,
        uint40 deadline,
        uint64 batchId,
        uint16 index
    ) public pure {
        IEscrowJobs.JobRecord memory expected = IEscrowJobs.JobRecord(
            IEscrowJobs.JobState.COMMITTED, _none(), openedAt, deadline, batchId, index, 3
        );
        PackedJob slot = JobSlot.opened(openedAt, deadline, 3);
        _assertRecord(slot.committed(batchId, index), expected);
        _assertRecord(slot.cancelled(deadline).committed(batchId, index), expected);
    }

    function test_slot__refunded__holds_its_reason(uint40 openedAt, uint40 deadline, uint8 which) public pure {
        IEscrowJobs.RefundReason reason = IEscrowJobs.RefundReason(uint8(_bound(which, 1, 7)));
        IEscrowJobs.JobRecord memory expected =
            IEscrowJobs.JobRecord(IEscrowJobs.JobState.REFUNDED, reason, openedAt, deadline, 0, 0, 3);
        PackedJob slot = JobSlot.opened(openedAt, deadline, 3);
        _assertRecord(slot.refunded(reason), expected);
        _assertRecord(slot.cancelled(deadline).refunded(reason), expected);
    }

    function _assertRecord(PackedJob slot, IEscrowJobs.JobRecord memory expected) private pure {
        _assertEq(keccak256(abi.encode(slot.record())), keccak256(abi.encode(expected)), "record");
        _assertTrue(slot.state() == expected.state, "state");
        _assertEq(slot.openedAt(), expected.openedAt, "openedAt");
        _assertEq(slot.deadline(), expected.deadline, "deadline");
        _assertEq(slot.termsVersion(), expected.termsVersion, "terms");
    }

    function _open() private pure returns (IEscrowJobs.JobState) {
        return IEscrowJobs.JobState.OPEN;
    }

    function _none() private pure returns (IEscrowJobs.RefundReason) {
        return IEscrowJobs.RefundReason.NONE;
    }
}
