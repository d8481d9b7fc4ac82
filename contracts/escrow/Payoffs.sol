// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBatches} from "../interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../interfaces/escrow/IEscrowSessions.sol";
import {BatchStatus, PackedBatch} from "../libraries/BatchSlot.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {JobMath} from "../libraries/JobMath.sol";
import {Accounts} from "./Accounts.sol";
import {EscrowBase} from "./EscrowBase.sol";
import {EscrowState, FeeTerms, Ledger} from "./EscrowState.sol";

/// @title Payoffs: how the money of a batch's entries leaves the exposure, in each of the ends
abstract contract Payoffs is EscrowBase {
    using Accounts for EscrowState;

    /// @dev What entries add up to, wei, and who is paid out of the fee. `payment` is at most `price`.
    /// @param vouchers The part of `payment` that goes to vouchers.
    /// @param auditors Bitmap of seats.
    /// @param submitter Zero unless it is the caller's turn.
    struct Sums {
        uint256 price;
        uint256 payment;
        uint256 vouchers;
        uint32 auditors;
        address submitter;
    }

    /// @dev Reverts unless `head` is that of the batch; returns its stored word.
    function _requireHead(uint64 batchId, IEscrowBatches.BatchHead calldata head)
        internal
        view
        returns (PackedBatch packed)
    {
        packed = _state.batches[batchId];
        _requireMatch(batchId, packed, head);
    }

    /// @dev The same for a word that was read already.
    function _requireMatch(uint64 batchId, PackedBatch packed, IEscrowBatches.BatchHead calldata head) internal pure {
        bytes32 digest = EscrowHashes.hashGivenHead(batchId, head);
        if (!packed.matches(digest)) revert IEscrowBatches.HeadMismatch(batchId, digest, packed.record().digest);
    }

    function _requireEntries(uint64 batchId, bytes32 committed, IEscrowBatches.Entry[] calldata entries) internal pure {
        bytes32 given = EscrowHashes.hashEntries(entries);
        if (given != committed) revert IEscrowBatches.EntriesMismatch(batchId, given, committed);
    }

    /// @dev Pays off every entry: the provider's part is summed, the rest returns to its requester.
    function _settleAll(uint64 batchId, IEscrowBatches.Entry[] calldata entries) internal returns (Sums memory sums) {
        for (uint256 i; i < entries.length; ++i) {
            _settleOne(batchId, entries[i], sums);
        }
    }

    function _settleOne(uint64 batchId, IEscrowBatches.Entry calldata entry, Sums memory sums) internal {
        (uint96 price, uint96 amount) = (entry.price, entry.amount);
        uint96 refunded = price - amount;
        sums.price += price;
        sums.payment += amount;
        _state.credit(entry.requester, refunded);
        if (entry.answerDigest == 0) sums.vouchers += amount;
        else emit IEscrowBatches.JobSettled(entry.jobId, batchId, amount, refunded);
    }

    /// @dev Returns an entry's whole price.
    function _refundOne(IEscrowBatches.Entry calldata entry, IEscrowJobs.RefundReason reason) internal {
        address requester = entry.requester;
        uint96 price = entry.price;
        _state.credit(requester, price);
        if (entry.answerDigest == 0) {
            emit IEscrowSessions.VoucherRefunded(entry.jobId, requester, price, reason);
        } else {
            emit IEscrowJobs.JobRefunded(entry.jobId, requester, price, reason);
        }
    }

    /// @dev Ends a batch whose entries were paid off: pays the provider, then auditors and submitter out of the fee,
    /// and leaves the rest to be burned.
    function _mature(uint64 batchId, IEscrowBatches.BatchHead calldata head, BatchStatus status, Sums memory sums)
        internal
    {
        FeeTerms memory terms = _state.fees[head.termsVersion];
        uint256 fee = JobMath.feeOf(sums.payment, terms.feeBps);
        uint256 payout = sums.payment - fee;
        _state.batches[batchId] = _state.batches[batchId].moved(status);
        uint256 left = fee;
        if (sums.auditors != 0) {
            left -= _payAuditors(batchId, sums.auditors, terms.auditFee, left);
        }
        if (sums.submitter != address(0) && terms.submitFee != 0 && left >= terms.submitFee) {
            left -= terms.submitFee;
            _state.credit(sums.submitter, terms.submitFee);
            emit IEscrowBatches.SubmitFeePaid(batchId, sums.submitter, terms.submitFee);
        }
        Ledger memory ledger = _state.ledger;
        ledger.fees += uint96(left);
        ledger.exposure -= uint96(sums.price);
        _state.ledger = ledger;
        _state.credit(head.provider, payout);
        if (sums.vouchers != 0) emit IEscrowSessions.VouchersSettled(batchId, sums.vouchers);
        IEscrowBatches.Outcome outcome =
            status == BatchStatus.MATURED_PASS ? IEscrowBatches.Outcome.PASS : IEscrowBatches.Outcome.DEFAULT;
        emit IEscrowBatches.BatchMatured(batchId, head.provider, outcome, payout, fee);
        if (left != 0) _rewards.accrue(head.provider, uint96(left));
    }

    /// @dev Pays each auditor its flat fee while `available` lasts, in the order of the seats; returns the sum.
    function _payAuditors(uint64 batchId, uint32 auditors, uint96 auditFee, uint256 available)
        internal
        returns (uint256 paid)
    {
        if (auditFee == 0) return 0;
        address[] memory oracles = _committee.seatAccounts(auditors);
        for (uint256 i; i < oracles.length && available - paid >= auditFee; ++i) {
            paid += auditFee;
            _state.credit(oracles[i], auditFee);
            emit IEscrowBatches.AuditFeePaid(batchId, oracles[i], auditFee);
        }
    }
}
