// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";

/// @dev A `JobRecord` in one word: from the low end state (8 bits), reason (8), openedAt (40), deadline (40),
/// batchId (64), index (16), termsVersion (16). Written by hand, because the compiler's own packing costs 1,500 gas a
/// job more.
type PackedJob is uint256;

using JobSlot for PackedJob global;

/// @title JobSlot: reads and makes the stored word of a job
library JobSlot {
    uint256 private constant REASON = 8;
    uint256 private constant OPENED_AT = 16;
    uint256 private constant DEADLINE = 56;
    uint256 private constant BATCH_ID = 96;
    uint256 private constant INDEX = 160;
    uint256 private constant TERMS = 176;
    /// @dev openedAt, deadline and terms: what every later state keeps.
    uint256 private constant KEPT = ((1 << 80) - 1) << OPENED_AT | ((1 << 16) - 1) << TERMS;

    function opened(uint256 openedAt_, uint256 deadline_, uint16 termsVersion_) internal pure returns (PackedJob) {
        return PackedJob.wrap(
            uint8(IEscrowJobs.JobState.OPEN) | openedAt_ << OPENED_AT | deadline_ << DEADLINE | uint256(termsVersion_)
                << TERMS
        );
    }

    /// @notice The same job as line `index` of a batch; a cancel that came too late is forgotten.
    function committed(PackedJob self, uint64 batchId, uint16 index) internal pure returns (PackedJob) {
        uint256 kept = PackedJob.unwrap(self) & KEPT;
        uint256 place = uint256(batchId) << BATCH_ID | uint256(index) << INDEX;
        return PackedJob.wrap(kept | place | uint8(IEscrowJobs.JobState.COMMITTED));
    }

    function refunded(PackedJob self, IEscrowJobs.RefundReason reason) internal pure returns (PackedJob) {
        uint256 kept = PackedJob.unwrap(self) & KEPT;
        return PackedJob.wrap(kept | uint256(uint8(reason)) << REASON | uint8(IEscrowJobs.JobState.REFUNDED));
    }

    /// @notice The same open job with an earlier deadline, asked for by its requester.
    function cancelled(PackedJob self, uint256 deadline_) internal pure returns (PackedJob) {
        uint256 reason = uint256(uint8(IEscrowJobs.RefundReason.CANCELLED)) << REASON;
        return PackedJob.wrap(PackedJob.unwrap(opened(self.openedAt(), deadline_, self.termsVersion())) | reason);
    }

    function state(PackedJob self) internal pure returns (IEscrowJobs.JobState) {
        return IEscrowJobs.JobState(uint8(PackedJob.unwrap(self)));
    }

    function openedAt(PackedJob self) internal pure returns (uint40) {
        return uint40(PackedJob.unwrap(self) >> OPENED_AT);
    }

    function deadline(PackedJob self) internal pure returns (uint40) {
        return uint40(PackedJob.unwrap(self) >> DEADLINE);
    }

    function termsVersion(PackedJob self) internal pure returns (uint16) {
        return uint16(PackedJob.unwrap(self) >> TERMS);
    }

    function isCancelled(PackedJob self) internal pure returns (bool) {
        return uint8(PackedJob.unwrap(self) >> REASON) == uint8(IEscrowJobs.RefundReason.CANCELLED);
    }

    function record(PackedJob self) internal pure returns (IEscrowJobs.JobRecord memory) {
        uint256 word = PackedJob.unwrap(self);
        return IEscrowJobs.JobRecord({
            state: self.state(),
            reason: IEscrowJobs.RefundReason(uint8(word >> REASON)),
            openedAt: self.openedAt(),
            deadline: self.deadline(),
            batchId: uint64(word >> BATCH_ID),
            index: uint16(word >> INDEX),
            termsVersion: self.termsVersion()
        });
    }
}
