// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IJobEscrow} from "../interfaces/IJobEscrow.sol";
import {Settlements} from "./Settlements.sol";

/// @title Convictions: what a frozen batch ends in
/// @dev One conviction reaches every batch that its provider has pending and every job that it has open; the stake is
/// slashed once for all of them.
abstract contract Convictions is Settlements {
    /// @inheritdoc IJobEscrow
    function forfeit(uint64 batchId, Entry[] calldata entries) external {
        BatchRecord memory record = batch(batchId);
        bool convicts = record.state == BatchState.FROZEN;
        if (convicts) {
            if (block.timestamp < _frozenUntil[batchId]) revert TooEarly(batchId, _frozenUntil[batchId]);
        } else if (record.state != BatchState.PENDING || !_isConvictedBatch(batchId, providerRecord(record.provider))) {
            revert WrongBatchState(batchId, record.state);
        }
        _requireEntries(batchId, record.entriesHash, entries);

        _batches[batchId].state = BatchState.FORFEITED;
        RefundReason reason = convicts ? RefundReason.FRAUD : RefundReason.CONVICTED;
        for (uint256 i; i < entries.length; ++i) {
            _refundEntry(entries[i], reason);
        }
        if (convicts) _convict(batchId, record.provider);
        emit BatchForfeited(batchId, record.provider);
    }

    function _convict(uint64 batchId, address provider) private {
        uint64 through = batchCount();
        ProviderRecord storage record = _providers[provider];
        record.convictedAt = uint40(block.timestamp);
        record.convictedThrough = through;
        record.frozenBatch = 0;
        uint96 slashed = _staking.slash(provider, _slashBps);
        emit ProviderConvicted(provider, batchId, slashed, through);
    }
}
