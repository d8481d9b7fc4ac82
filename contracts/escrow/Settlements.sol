// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBatches} from "../interfaces/escrow/IEscrowBatches.sol";
import {IEscrowEnds} from "../interfaces/escrow/IEscrowEnds.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {BatchStatus, PackedBatch} from "../libraries/BatchSlot.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {Freezes} from "./Freezes.sol";

/// @title Settlements: what a quorum of oracles decides about batches
abstract contract Settlements is Freezes {
    /// @inheritdoc IEscrowEnds
    function settle(
        uint16 setVersion,
        IEscrowBatches.Decision[] calldata decisions,
        IEscrowBatches.BatchHead[] calldata heads,
        IEscrowBatches.Entry[][] calldata entries,
        bytes[] calldata signatures
    ) external {
        if (decisions.length != entries.length) {
            revert IEscrowBatches.LengthMismatch(decisions.length, entries.length);
        }
        if (decisions.length != heads.length) revert IEscrowBatches.LengthMismatch(decisions.length, heads.length);
        _committee.requireQuorum(setVersion, settlementDigest(setVersion, decisions), signatures);
        address submitter = _committee.proposer(setVersion) == msg.sender ? msg.sender : address(0);
        for (uint256 i; i < decisions.length; ++i) {
            _decide(setVersion, decisions[i], heads[i], entries[i], submitter);
        }
    }

    /// @inheritdoc IEscrowEnds
    function settlementDigest(uint16 setVersion, IEscrowBatches.Decision[] calldata decisions)
        public
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(EscrowHashes.hashSettlement(setVersion, decisions));
    }

    /// @inheritdoc IEscrowEnds
    function requireBatch(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries
    ) external view returns (IEscrowBatches.BatchRecord memory) {
        PackedBatch packed = _requireHead(batchId, head);
        _requireEntries(batchId, head.entriesHash, entries);
        return packed.record();
    }

    /// @inheritdoc IEscrowEnds
    function condemnedInEpoch() external view returns (uint256) {
        uint256 epoch = block.timestamp / _state.terms[_state.opening.version].slashEpoch;
        return _state.slashEpoch == epoch ? _state.condemned : 0;
    }

    function _decide(
        uint16 setVersion,
        IEscrowBatches.Decision calldata decision,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries,
        address submitter
    ) private {
        uint64 batchId = decision.batchId;
        PackedBatch packed = _state.batches[batchId];
        if (!packed.isPending()) {
            emit IEscrowBatches.BatchSkipped(batchId, IEscrowBatches.SkipReason.NOT_PENDING);
            return;
        }
        _requireMatch(batchId, packed, head);
        (bool skips, IEscrowBatches.SkipReason reason) =
            _skipReason(batchId, head, packed, decision.outcome, setVersion);
        if (skips) {
            emit IEscrowBatches.BatchSkipped(batchId, reason);
            return;
        }
        if (decision.entriesHash != head.entriesHash) {
            revert IEscrowBatches.EntriesMismatch(batchId, decision.entriesHash, head.entriesHash);
        }
        if (decision.outcome == IEscrowBatches.Outcome.PASS) {
            _pass(decision, head, entries, submitter);
        } else if (
            decision.outcome == IEscrowBatches.Outcome.FRAUD || decision.outcome == IEscrowBatches.Outcome.NOT_OPENED
        ) {
            _requireAmount(decision, 0);
            if (entries.length != 0) revert IEscrowBatches.LengthMismatch(entries.length, 0);
            if (!_freeze(decision, head)) {
                emit IEscrowBatches.BatchSkipped(batchId, IEscrowBatches.SkipReason.SLASH_CEILING);
            }
        } else {
            revert IEscrowBatches.OutcomeNotDecidable(batchId, decision.outcome);
        }
    }

    function _skipReason(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        PackedBatch packed,
        IEscrowBatches.Outcome outcome,
        uint16 setVersion
    ) private view returns (bool skips, IEscrowBatches.SkipReason reason) {
        if (head.setVersion != setVersion) return (true, IEscrowBatches.SkipReason.WRONG_SET);
        IEscrowJobs.ProviderRecord memory its = _state.providers[head.provider];
        if (batchId <= its.convictedThrough) return (true, IEscrowBatches.SkipReason.PROVIDER_CONVICTED);
        if (its.frozenBatch != 0 && outcome == IEscrowBatches.Outcome.PASS) {
            return (true, IEscrowBatches.SkipReason.PROVIDER_FROZEN);
        }
        if (outcome == IEscrowBatches.Outcome.NOT_OPENED && packed.status() == BatchStatus.REOPENED) {
            return (true, IEscrowBatches.SkipReason.OPENED_ON_CHAIN);
        }
    }

    function _pass(
        IEscrowBatches.Decision calldata decision,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries,
        address submitter
    ) private {
        uint64 batchId = decision.batchId;
        _requireEntries(batchId, head.entriesHash, entries);
        Sums memory sums = _settleAll(batchId, entries);
        _requireAmount(decision, sums.payment);
        sums.auditors = decision.auditors;
        sums.submitter = submitter;
        _mature(batchId, head, BatchStatus.MATURED_PASS, sums);
    }

    function _requireAmount(IEscrowBatches.Decision calldata decision, uint256 committed) private pure {
        if (decision.amount != committed) {
            revert IEscrowBatches.AmountMismatch(decision.batchId, decision.amount, committed);
        }
    }
}
