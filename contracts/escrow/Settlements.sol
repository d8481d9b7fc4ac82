// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IJobEscrow} from "../interfaces/IJobEscrow.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {Batches} from "./Batches.sol";

/// @title Settlements: what a quorum of oracles decides about batches
abstract contract Settlements is Batches {
    mapping(uint64 batchId => uint40) internal _frozenUntil;

    /// @inheritdoc IJobEscrow
    function settle(
        uint16 setVersion,
        Decision[] calldata decisions,
        Entry[][] calldata entries,
        bytes[] calldata signatures
    ) external {
        if (decisions.length != entries.length) {
            revert LengthMismatch(decisions.length, entries.length);
        }
        _committee.requireQuorum(setVersion, settlementDigest(setVersion, decisions), signatures);
        for (uint256 i; i < decisions.length; ++i) {
            _decide(setVersion, decisions[i], entries[i]);
        }
    }

    /// @inheritdoc IJobEscrow
    function settlementDigest(uint16 setVersion, Decision[] calldata decisions) public view returns (bytes32) {
        return _hashTypedDataV4(EscrowHashes.hashSettlement(setVersion, decisions));
    }

    /// @inheritdoc IJobEscrow
    function frozenUntil(uint64 batchId) external view returns (uint40) {
        return _frozenUntil[batchId];
    }

    function _decide(uint16 setVersion, Decision calldata decision, Entry[] calldata entries) private {
        uint64 batchId = decision.batchId;
        BatchRecord memory record = batch(batchId);
        (bool skips, SkipReason reason) = _skipReason(batchId, record, setVersion);
        if (skips) {
            emit BatchSkipped(batchId, reason);
            return;
        }
        if (decision.entriesHash != record.entriesHash) {
            revert EntriesMismatch(batchId, decision.entriesHash, record.entriesHash);
        }
        if (decision.outcome == Outcome.PASS) {
            _pass(decision, record, entries);
        } else if (decision.outcome == Outcome.NOT_OPENED) {
            _notOpened(decision, record, entries);
        } else if (decision.outcome == Outcome.FRAUD) {
            _freeze(decision, record.provider, entries.length);
        } else {
            revert OutcomeNotDecidable(batchId, decision.outcome);
        }
    }

    function _skipReason(uint64 batchId, BatchRecord memory record, uint16 setVersion)
        private
        view
        returns (bool skips, SkipReason reason)
    {
        if (record.state != BatchState.PENDING) return (true, SkipReason.NOT_PENDING);
        if (record.setVersion != setVersion) return (true, SkipReason.WRONG_SET);
        ProviderRecord memory its = providerRecord(record.provider);
        if (_isConvictedBatch(batchId, its)) return (true, SkipReason.PROVIDER_CONVICTED);
        if (its.frozenBatch != 0) return (true, SkipReason.PROVIDER_FROZEN);
    }

    function _pass(Decision calldata decision, BatchRecord memory record, Entry[] calldata entries) private {
        uint64 batchId = decision.batchId;
        _requireEntries(batchId, record.entriesHash, entries);
        uint256 total;
        for (uint256 i; i < entries.length; ++i) {
            Entry calldata entry = entries[i];
            total += entry.amount;
            _settleEntry(batchId, entry);
        }
        _requireAmount(decision, total);
        _mature(batchId, record.provider, Outcome.PASS, total);
    }

    function _notOpened(Decision calldata decision, BatchRecord memory record, Entry[] calldata entries) private {
        _requireAmount(decision, 0);
        _requireEntries(decision.batchId, record.entriesHash, entries);
        for (uint256 i; i < entries.length; ++i) {
            _refundEntry(entries[i], RefundReason.NOT_OPENED);
        }
        _mature(decision.batchId, record.provider, Outcome.NOT_OPENED, 0);
    }

    function _freeze(Decision calldata decision, address provider, uint256 given) private {
        _requireAmount(decision, 0);
        if (given != 0) revert LengthMismatch(given, 0);
        uint64 batchId = decision.batchId;
        uint40 until = uint40(block.timestamp + _appealWindow);
        _frozenUntil[batchId] = until;
        _providers[provider].frozenBatch = uint56(batchId);
        BatchRecord storage record = _batches[batchId];
        record.state = BatchState.FROZEN;
        record.outcome = Outcome.FRAUD;
        emit BatchFrozen(batchId, provider, until);
    }

    function _requireAmount(Decision calldata decision, uint256 committed) private pure {
        if (decision.amount != committed) revert AmountMismatch(decision.batchId, decision.amount, committed);
    }
}
