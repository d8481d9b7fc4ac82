// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBatches} from "../interfaces/escrow/IEscrowBatches.sol";
import {IEscrowEnds} from "../interfaces/escrow/IEscrowEnds.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {IEscrowTerms} from "../interfaces/escrow/IEscrowTerms.sol";
import {BatchStatus, PackedBatch} from "../libraries/BatchSlot.sol";
import {JobMath} from "../libraries/JobMath.sol";
import {FreezeRecord, Hold} from "./EscrowState.sol";
import {Payoffs} from "./Payoffs.sol";

/// @title Freezes: batches that a quorum found against, and the convictions in which they end
abstract contract Freezes is Payoffs, IEscrowEnds {
    uint256 private constant MAX_OPENINGS = 128 * 1024;

    /// @dev Freezes a pending batch and its provider. Returns false, and does nothing, over the epoch's ceiling. A
    /// freeze shields nothing: while one lasts, other batches of the provider are frozen as well, each for its own
    /// time.
    function _freeze(IEscrowBatches.Decision calldata decision, IEscrowBatches.BatchHead calldata head)
        internal
        returns (bool)
    {
        uint64 batchId = decision.batchId;
        IEscrowTerms.Parameters storage terms = _state.terms[head.termsVersion];
        if (!_hold(head.provider, terms.slashBps)) return false;
        bool isFraud = decision.outcome == IEscrowBatches.Outcome.FRAUD;
        uint40 until = uint40(block.timestamp + (isFraud ? terms.appealWindow : terms.lastChance));
        FreezeRecord storage its = _state.freezes[batchId];
        its.until = until;
        its.auditors = decision.auditors;
        _state.providers[head.provider].frozenBatch = uint40(batchId);
        _state.batches[batchId] =
            _state.batches[batchId].moved(isFraud ? BatchStatus.FROZEN_FRAUD : BatchStatus.FROZEN_NOT_OPENED);
        emit IEscrowBatches.BatchFrozen(batchId, head.provider, decision.outcome, until);
        return true;
    }

    /// @inheritdoc IEscrowEnds
    function postOpenings(uint64 batchId, IEscrowBatches.BatchHead calldata head, bytes[] calldata openings) external {
        BatchStatus status = _requireHead(batchId, head).status();
        if (msg.sender != head.provider && _staking.providerOf(msg.sender) != head.provider) {
            revert IEscrowJobs.NotProvider(bytes32(uint256(batchId)), msg.sender);
        }
        if (status != BatchStatus.FROZEN_NOT_OPENED) {
            IEscrowBatches.BatchRecord memory record = _state.batches[batchId].record();
            revert IEscrowBatches.NothingToOpen(batchId, record.outcome);
        }
        FreezeRecord storage its = _state.freezes[batchId];
        if (block.timestamp >= its.until) revert IEscrowBatches.TooLate(batchId, its.until);
        _requireUnconvicted(batchId, head.provider);
        uint256 size;
        for (uint256 i; i < openings.length; ++i) {
            size += openings[i].length;
        }
        if (size == 0 || size > MAX_OPENINGS) revert IEscrowBatches.OpeningsTooLarge(size, MAX_OPENINGS);
        its.openedAt = uint40(block.timestamp);
        _state.batches[batchId] = _state.batches[batchId].moved(BatchStatus.REOPENED);
        _unhold(head.provider);
        emit IEscrowBatches.OpeningsPosted(batchId, head.provider, openings);
    }

    /// @inheritdoc IEscrowEnds
    function holdFreeze(uint64 batchId, uint40 until) external {
        _requireCourt();
        PackedBatch packed = _state.batches[batchId];
        if (packed.status() != BatchStatus.FROZEN_FRAUD) {
            revert IEscrowBatches.WrongBatchState(batchId, packed.record().state);
        }
        FreezeRecord storage its = _state.freezes[batchId];
        if (its.appealed && until >= its.until) revert IEscrowBatches.AppealedAlready(batchId);
        its.until = until;
        its.appealed = true;
        emit IEscrowBatches.BatchHeld(batchId, until);
    }

    /// @inheritdoc IEscrowEnds
    function releaseFreeze(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries
    ) external {
        _requireCourt();
        PackedBatch packed = _requireHead(batchId, head);
        if (packed.status() != BatchStatus.FROZEN_FRAUD) {
            revert IEscrowBatches.WrongBatchState(batchId, packed.record().state);
        }
        _requireUnconvicted(batchId, head.provider);
        _requireEntries(batchId, head.entriesHash, entries);
        _unhold(head.provider);
        emit IEscrowBatches.BatchReleased(batchId, head.provider);
        Sums memory sums = _settleAll(batchId, entries);
        sums.auditors = _state.freezes[batchId].auditors;
        _mature(batchId, head, BatchStatus.MATURED_PASS, sums);
    }

    /// @inheritdoc IEscrowEnds
    function convict(uint64 batchId, IEscrowBatches.BatchHead calldata head, address challenger, uint96 maxShare)
        external
    {
        _requireCourt();
        _requireHead(batchId, head);
        IEscrowTerms.Parameters storage terms = _state.terms[head.termsVersion];
        (bool fits,, uint256 used, uint256 ceiling) = _condemn(head.provider, terms.slashBps);
        if (!fits) revert IEscrowBatches.SlashCeilingReached(used, ceiling);
        uint256 most = ceiling * terms.challengerBps / JobMath.BPS;
        if (maxShare > most) maxShare = uint96(most);
        _convict(batchId, head, challenger, maxShare);
    }

    /// @inheritdoc IEscrowEnds
    function forfeit(uint64 batchId, IEscrowBatches.BatchHead calldata head, IEscrowBatches.Entry[] calldata entries)
        external
    {
        PackedBatch packed = _requireHead(batchId, head);
        bool isReached = batchId <= _state.providers[head.provider].convictedThrough;
        bool convicts = packed.isFrozen() && !isReached;
        if (!convicts && !(isReached && (packed.isFrozen() || packed.isPending()))) {
            revert IEscrowBatches.WrongBatchState(batchId, packed.record().state);
        }
        uint40 until = _state.freezes[batchId].until;
        if (convicts && block.timestamp < until) revert IEscrowBatches.TooEarly(batchId, until);
        _requireEntries(batchId, head.entriesHash, entries);

        PackedBatch ended = packed.moved(_endOf(packed.status(), convicts));
        _state.batches[batchId] = ended;
        uint256 price;
        for (uint256 i; i < entries.length; ++i) {
            price += entries[i].price;
            _refundOne(entries[i], ended.refundReason());
        }
        _state.ledger.exposure -= uint96(price);
        if (packed.isFrozen()) _payFromFees(batchId, head.termsVersion);
        if (convicts) _convict(batchId, head, address(0), 0);
        emit IEscrowBatches.BatchForfeited(batchId, head.provider);
    }

    /// @dev The auditors of a cheat are paid like all others, as far as fees are there that are not burned yet.
    function _payFromFees(uint64 batchId, uint16 termsVersion) private {
        uint32 auditors = _state.freezes[batchId].auditors;
        if (auditors == 0) return;
        uint256 fees = _state.ledger.fees;
        uint256 paid = _payAuditors(batchId, auditors, _state.fees[termsVersion].auditFee, fees);
        _state.ledger.fees = uint96(fees - paid);
    }

    /// @dev Counts one freeze more of the provider, and against the ceiling if it is its first. Returns false, and does
    /// nothing, over the ceiling.
    function _hold(address provider, uint16 slashBps) private returns (bool) {
        Hold memory held = _state.holds[provider];
        if (held.count == 0) {
            (bool fits, uint256 amount,,) = _condemn(provider, slashBps);
            if (!fits) return false;
            held.epoch = _state.slashEpoch;
            held.condemned = uint96(amount);
        }
        ++held.count;
        _state.holds[provider] = held;
        return true;
    }

    /// @dev Ends one freeze of the provider that convicts nobody. With its last one it may open and mature again, and
    /// what its first one condemned is free again: a provider that lets itself be frozen cannot use up an epoch's
    /// ceiling.
    function _unhold(address provider) private {
        Hold memory held = _state.holds[provider];
        if (--held.count == 0) {
            _state.providers[provider].frozenBatch = 0;
            // A change of `slashEpoch` may number the epochs anew.
            uint96 used = _state.condemned;
            if (_state.slashEpoch == held.epoch) {
                _state.condemned = used - (held.condemned < used ? held.condemned : used);
            }
        }
        _state.holds[provider] = held;
    }

    function _requireCourt() private view {
        if (msg.sender != address(_court)) revert IEscrowTerms.OnlyCourt(msg.sender);
    }

    function _endOf(BatchStatus status, bool convicts) private pure returns (BatchStatus) {
        if (!convicts) return BatchStatus.FORFEITED_CONVICTED;
        return status == BatchStatus.FROZEN_FRAUD ? BatchStatus.FORFEITED_FRAUD : BatchStatus.FORFEITED_NOT_OPENED;
    }

    /// @dev Reaches everything that the provider has open or unmatured, whatever becomes of this batch.
    function _convict(uint64 batchId, IEscrowBatches.BatchHead calldata head, address challenger, uint96 maxShare)
        private
    {
        uint64 through = _state.batchCount;
        IEscrowJobs.ProviderRecord storage record = _state.providers[head.provider];
        record.convictedAt = uint32(block.timestamp);
        record.convictedThrough = uint40(through);
        record.frozenBatch = 0;
        delete _state.holds[head.provider];
        IEscrowTerms.Parameters storage terms = _state.terms[head.termsVersion];
        uint96 slashed = _staking.slash(head.provider, terms.slashBps, challenger, terms.challengerBps, maxShare);
        emit IEscrowBatches.ProviderConvicted(head.provider, batchId, slashed, through);
    }

    /// @dev Counts what a conviction would condemn against the ceiling of the present epoch. The first of an epoch
    /// always fits, so that no stake is too large to be slashed.
    function _condemn(address provider, uint16 slashBps)
        private
        returns (bool fits, uint256 amount, uint256 used, uint256 ceiling)
    {
        IEscrowTerms.Parameters storage terms = _state.terms[_state.opening.version];
        ceiling = terms.slashCeiling;
        uint64 epoch = uint64(block.timestamp / terms.slashEpoch);
        used = _state.slashEpoch == epoch ? _state.condemned : 0;
        amount = JobMath.condemnedOf(_staking.slashableStake(provider), slashBps);
        if (used != 0 && used + amount > ceiling) return (false, amount, used, ceiling);
        _state.slashEpoch = epoch;
        _state.condemned = uint96(used + amount); // the sum of stakes, which is below the token's cap
        return (true, amount, used, ceiling);
    }

    function _requireUnconvicted(uint64 batchId, address provider) private view {
        uint40 through = _state.providers[provider].convictedThrough;
        if (batchId <= through) revert IEscrowBatches.BatchOfConvictedProvider(batchId, through);
    }
}
