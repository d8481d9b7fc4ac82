// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBatches} from "../interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";

/// @dev A work batch in one word: the high 248 bits of the digest of its head, and its `BatchStatus`.
type PackedBatch is uint256;

/// @dev State and outcome of a batch in one byte. REOPENED is PENDING after openings were posted on-chain.
enum BatchStatus {
    NONE,
    PENDING,
    REOPENED,
    FROZEN_FRAUD,
    FROZEN_NOT_OPENED,
    MATURED_PASS,
    MATURED_DEFAULT,
    FORFEITED_FRAUD,
    FORFEITED_NOT_OPENED,
    FORFEITED_CONVICTED
}

using BatchSlot for PackedBatch global;

/// @title BatchSlot: reads and makes the stored word of a work batch
library BatchSlot {
    uint256 private constant STATUS = 0xff;

    function pack(bytes32 digest, BatchStatus status_) internal pure returns (PackedBatch) {
        return PackedBatch.wrap(uint256(digest) & ~STATUS | uint8(status_));
    }

    function moved(PackedBatch self, BatchStatus status_) internal pure returns (PackedBatch) {
        return PackedBatch.wrap(PackedBatch.unwrap(self) & ~STATUS | uint8(status_));
    }

    function status(PackedBatch self) internal pure returns (BatchStatus) {
        return BatchStatus(uint8(PackedBatch.unwrap(self)));
    }

    function isPending(PackedBatch self) internal pure returns (bool) {
        BatchStatus its = self.status();
        return its == BatchStatus.PENDING || its == BatchStatus.REOPENED;
    }

    function isFrozen(PackedBatch self) internal pure returns (bool) {
        BatchStatus its = self.status();
        return its == BatchStatus.FROZEN_FRAUD || its == BatchStatus.FROZEN_NOT_OPENED;
    }

    /// @notice Whether `digest` is that of the batch's head, but for the lowest byte.
    function matches(PackedBatch self, bytes32 digest) internal pure returns (bool) {
        return (PackedBatch.unwrap(self) ^ uint256(digest)) & ~STATUS == 0;
    }

    function record(PackedBatch self) internal pure returns (IEscrowBatches.BatchRecord memory its) {
        its.digest = bytes32(PackedBatch.unwrap(self) & ~STATUS);
        BatchStatus where = self.status();
        if (self.isPending()) its.state = IEscrowBatches.BatchState.PENDING;
        else if (self.isFrozen()) its.state = IEscrowBatches.BatchState.FROZEN;
        else if (where >= BatchStatus.FORFEITED_FRAUD) its.state = IEscrowBatches.BatchState.FORFEITED;
        else if (where >= BatchStatus.MATURED_PASS) its.state = IEscrowBatches.BatchState.MATURED;

        if (where == BatchStatus.MATURED_PASS) {
            its.outcome = IEscrowBatches.Outcome.PASS;
        } else if (where == BatchStatus.MATURED_DEFAULT) {
            its.outcome = IEscrowBatches.Outcome.DEFAULT;
        } else if (where == BatchStatus.FROZEN_FRAUD || where == BatchStatus.FORFEITED_FRAUD) {
            its.outcome = IEscrowBatches.Outcome.FRAUD;
        } else if (where == BatchStatus.FROZEN_NOT_OPENED || where == BatchStatus.FORFEITED_NOT_OPENED) {
            its.outcome = IEscrowBatches.Outcome.NOT_OPENED;
        }
    }

    /// @notice Why a batch that was forfeited returned its entries' prices.
    function refundReason(PackedBatch self) internal pure returns (IEscrowJobs.RefundReason) {
        BatchStatus where = self.status();
        if (where == BatchStatus.FORFEITED_FRAUD) return IEscrowJobs.RefundReason.FRAUD;
        if (where == BatchStatus.FORFEITED_NOT_OPENED) return IEscrowJobs.RefundReason.NOT_OPENED;
        return IEscrowJobs.RefundReason.CONVICTED;
    }
}
