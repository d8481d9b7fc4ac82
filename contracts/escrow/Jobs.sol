// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {IEscrowTerms} from "../interfaces/escrow/IEscrowTerms.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {JobMath} from "../libraries/JobMath.sol";
import {JobSlot, PackedJob} from "../libraries/JobSlot.sol";
import {Accounts} from "./Accounts.sol";
import {EscrowState, Ledger, OpeningTerms} from "./EscrowState.sol";
import {Standing} from "./Standing.sol";

/// @title Jobs: reserved prices, from opening until the provider commits or the money returns
abstract contract Jobs is Standing, IEscrowJobs {
    using Accounts for EscrowState;

    /// @inheritdoc IEscrowJobs
    function openJob(
        Offer calldata offer,
        bytes calldata offerSignature,
        bytes32 specDigest,
        uint32 inputTokens,
        uint32 maxOutputTokens,
        uint32 duration,
        uint64 nonce
    ) external returns (bytes32 jobId) {
        OpeningTerms memory terms = _openingTerms();
        Job memory opened;
        opened.requester = msg.sender;
        opened.provider = offer.provider;
        opened.specDigest = specDigest;
        opened.inputTokens = inputTokens;
        opened.maxOutputTokens = maxOutputTokens;
        opened.nonce = nonce;
        uint256 price = _requirePrice(offer, opened, duration, terms.maxDuration);
        uint256 reserved = _requireRoom(offer, offerSignature, opened, terms, price);
        opened.price = uint96(price); // at most the offer's ceiling, which is a uint96
        jobId = EscrowHashes.jobId(address(this), opened);
        if (_state.jobs[jobId].state() != JobState.NONE) revert JobExists(jobId);

        _takeUp(terms.openFee, price);
        _state.debit(msg.sender, price + terms.openFee);
        _state.providers[offer.provider].reserved = uint96(reserved);
        uint40 deadline = uint40(block.timestamp + duration);
        _state.jobs[jobId] = JobSlot.opened(block.timestamp, deadline, terms.version);
        _announceOpened(jobId, opened, deadline);
    }

    /// @inheritdoc IEscrowJobs
    function declineJob(Job calldata job) external {
        (bytes32 jobId, PackedJob slot) = _requireOpen(job);
        if (msg.sender != job.provider && _staking.providerOf(msg.sender) != job.provider) {
            revert NotProvider(jobId, msg.sender);
        }
        uint256 until = uint256(slot.openedAt()) + _state.terms[slot.termsVersion()].startWindow;
        if (block.timestamp >= until) revert DeclineTooLate(jobId, until);
        _refund(jobId, job, slot, RefundReason.DECLINED);
    }

    /// @inheritdoc IEscrowJobs
    function cancelJob(Job calldata job) external {
        (bytes32 jobId, PackedJob slot) = _requireOpen(job);
        if (msg.sender != job.requester) revert NotRequester(jobId, msg.sender);
        uint40 deadline = uint40(block.timestamp + _state.terms[slot.termsVersion()].cancelDelay);
        if (deadline >= slot.deadline()) revert CancelChangesNothing(jobId, slot.deadline());

        // Remembered on the open job, so that the refund can say why.
        _state.jobs[jobId] = slot.cancelled(deadline);
        emit JobCancelAsked(jobId, deadline);
    }

    /// @inheritdoc IEscrowJobs
    function refundJob(Job calldata job) external {
        (bytes32 jobId, PackedJob slot) = _requireOpen(job);
        RefundReason reason = slot.isCancelled() ? RefundReason.CANCELLED : RefundReason.EXPIRED;
        if (_isConvicted(slot.openedAt(), _state.providers[job.provider].convictedAt)) {
            reason = RefundReason.CONVICTED;
        } else if (block.timestamp < slot.deadline()) {
            revert DeadlineNotReached(jobId, slot.deadline());
        }
        _refund(jobId, job, slot, reason);
    }

    /// @inheritdoc IEscrowJobs
    function revokeOffers(uint48 below) external {
        // An account that is a provider itself speaks for itself, also if another provider named it its node key.
        address provider = msg.sender;
        if (_staking.nodeKeyOf(provider) == address(0)) provider = _staking.providerOf(msg.sender);
        if (provider == address(0)) revert UnknownNodeKey(msg.sender);
        uint48 from = _state.providers[provider].offersFrom;
        if (below <= from) revert OffersRevokedAlready(provider, from);
        _state.providers[provider].offersFrom = below;
        emit OffersRevoked(provider, below);
    }

    /// @inheritdoc IEscrowJobs
    function isOfferRevoked(address provider, uint64 nonce) external view returns (bool) {
        return nonce < _state.providers[provider].offersFrom;
    }

    /// @inheritdoc IEscrowJobs
    function offerDigest(Offer calldata offer) external view returns (bytes32) {
        return _offerDigest(offer);
    }

    /// @inheritdoc IEscrowJobs
    function providerRecord(address provider) external view returns (ProviderRecord memory) {
        return _state.providers[provider];
    }

    /// @inheritdoc IEscrowJobs
    function jobIdOf(Job calldata job) public view returns (bytes32) {
        return EscrowHashes.givenJobId(address(this), job);
    }

    /// @dev Adds to the fees and to the exposure. A captured quorum must not be able to take more than the oracles
    /// would lose; and jobs may fill only half of that, or jobs that nobody commits would keep all vouchers out.
    function _takeUp(uint256 fee, uint256 added) internal {
        Ledger memory ledger = _state.ledger;
        uint256 exposed = ledger.exposure + added;
        uint256 covered = uint256(ledger.coverage) * 1 gwei / 2;
        if (exposed > covered) revert IEscrowTerms.ValueAtRisk(exposed, covered);
        ledger.fees += uint96(fee);
        ledger.exposure = uint96(exposed); // at most half of the coverage, which is far below a uint96
        _state.ledger = ledger;
    }

    function _requireOpen(Job calldata job) private view returns (bytes32 jobId, PackedJob slot) {
        jobId = jobIdOf(job);
        slot = _state.jobs[jobId];
        if (slot.state() != JobState.OPEN) revert WrongJobState(jobId, slot.state());
    }

    /// @dev Reverts unless the offer covers the job; returns its price, at least 1.
    function _requirePrice(Offer calldata offer, Job memory opened, uint32 duration, uint32 maxDuration)
        private
        pure
        returns (uint256 price)
    {
        if (opened.specDigest == 0) revert ZeroDigest();
        if (
            opened.inputTokens == 0 || opened.inputTokens > offer.maxInputTokens || opened.maxOutputTokens == 0
                || opened.maxOutputTokens > offer.maxOutputTokens
        ) {
            revert TokensOutOfOffer(
                opened.inputTokens, offer.maxInputTokens, opened.maxOutputTokens, offer.maxOutputTokens
            );
        }
        if (duration < offer.minDuration || duration > maxDuration) {
            revert DurationOutOfBounds(duration, offer.minDuration, maxDuration);
        }
        price = JobMath.priceOf(opened.inputTokens, offer.inputPrice, opened.maxOutputTokens, offer.outputPrice);
        if (price == 0) revert ZeroPrice();
    }

    /// @dev Reverts unless the provider may take on `price` more; names the offer in the job and returns the provider's
    /// reserve with it.
    function _requireRoom(
        Offer calldata offer,
        bytes calldata signature,
        Job memory opened,
        OpeningTerms memory terms,
        uint256 price
    ) private view returns (uint256 reserved) {
        ProviderRecord memory its = _state.providers[offer.provider];
        opened.offerDigest = _requireStanding(offer, signature, its, terms, price);
        reserved = its.reserved + price;
        if (reserved > offer.maxOutstanding) revert OutstandingTooHigh(offer.provider, reserved, offer.maxOutstanding);
    }

    function _refund(bytes32 jobId, Job calldata job, PackedJob slot, RefundReason reason) private {
        _state.jobs[jobId] = slot.refunded(reason);
        _state.providers[job.provider].reserved -= job.price;
        _state.ledger.exposure -= job.price;
        _state.credit(job.requester, job.price);
        emit JobRefunded(jobId, job.requester, job.price, reason);
    }

    function _announceOpened(bytes32 jobId, Job memory opened, uint40 deadline) private {
        emit JobOpened(
            jobId,
            opened.requester,
            opened.provider,
            opened.offerDigest,
            opened.specDigest,
            opened.inputTokens,
            opened.maxOutputTokens,
            opened.price,
            opened.nonce,
            deadline
        );
    }
}
