// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IJobEscrow} from "../interfaces/IJobEscrow.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {JobMath} from "../libraries/JobMath.sol";
import {JobSlot, PackedJob} from "../libraries/JobSlot.sol";
import {Offers} from "./Offers.sol";

/// @title Jobs: reserved prices, from opening until the provider commits or the money returns
/// @dev A record is never cleared: an id that was used stays used.
abstract contract Jobs is Offers {
    mapping(bytes32 jobId => PackedJob) internal _jobs;
    mapping(address provider => ProviderRecord) internal _providers;

    /// @inheritdoc IJobEscrow
    function openJob(
        Offer calldata offer,
        bytes calldata offerSignature,
        bytes32 specDigest,
        uint32 inputTokens,
        uint32 maxOutputTokens,
        uint32 duration,
        uint64 nonce
    ) external returns (bytes32 jobId) {
        Job memory opened;
        opened.requester = msg.sender;
        opened.provider = offer.provider;
        opened.offerDigest = _requireStanding(offer, offerSignature);
        opened.specDigest = specDigest;
        opened.inputTokens = inputTokens;
        opened.maxOutputTokens = maxOutputTokens;
        opened.nonce = nonce;
        uint256 price = _requirePrice(offer, opened, duration);
        ProviderRecord storage record = _providers[offer.provider];
        uint256 reserved = _requireRoom(offer, record, price);
        opened.price = uint96(price); // at most the offer's ceiling, which is a uint96
        jobId = EscrowHashes.jobId(address(this), opened);
        if (_jobs[jobId].state() != JobState.NONE) revert JobExists(jobId);

        _debit(msg.sender, price + _openFee);
        _takeFee(_openFee);
        record.reserved = uint96(reserved);
        uint40 deadline = uint40(block.timestamp + duration);
        _jobs[jobId] = JobSlot.opened(block.timestamp, deadline);
        _announceOpened(jobId, opened, deadline);
    }

    /// @inheritdoc IJobEscrow
    function declineJob(Job calldata job) external {
        (bytes32 jobId, PackedJob slot) = _requireOpen(job);
        if (msg.sender != job.provider && _staking.providerOf(msg.sender) != job.provider) {
            revert NotProvider(jobId, msg.sender);
        }
        uint256 until = uint256(slot.openedAt()) + _startWindow;
        if (block.timestamp >= until) revert DeclineTooLate(jobId, until);
        _refund(jobId, job, slot, RefundReason.DECLINED);
    }

    /// @inheritdoc IJobEscrow
    function cancelJob(Job calldata job) external {
        (bytes32 jobId, PackedJob slot) = _requireOpen(job);
        if (msg.sender != job.requester) revert NotRequester(jobId, msg.sender);
        uint40 deadline = uint40(block.timestamp + _cancelDelay);
        if (deadline >= slot.deadline()) revert CancelChangesNothing(jobId, slot.deadline());

        // Remembered on the open job, so that the refund can say why.
        _jobs[jobId] = slot.cancelled(deadline);
        emit JobCancelAsked(jobId, deadline);
    }

    /// @inheritdoc IJobEscrow
    function refundJob(Job calldata job) external {
        (bytes32 jobId, PackedJob slot) = _requireOpen(job);
        RefundReason reason = slot.isCancelled() ? RefundReason.CANCELLED : RefundReason.EXPIRED;
        if (_isConvicted(slot.openedAt(), _providers[job.provider].convictedAt)) {
            reason = RefundReason.CONVICTED;
        } else if (block.timestamp < slot.deadline()) {
            revert DeadlineNotReached(jobId, slot.deadline());
        }
        _refund(jobId, job, slot, reason);
    }

    /// @inheritdoc IJobEscrow
    function providerRecord(address provider) public view returns (ProviderRecord memory) {
        return _providers[provider];
    }

    /// @inheritdoc IJobEscrow
    function jobIdOf(Job calldata job) public view returns (bytes32) {
        return EscrowHashes.givenJobId(address(this), job);
    }

    /// @dev Reverts unless the provider's active stake makes cheating on one unit of `price` a loss.
    function _requireDeterrence(address provider, uint256 price) internal view {
        uint256 active = _staking.activeStake(provider);
        uint256 needed = JobMath.neededStake(price, _slashBps, _detectionBps);
        if (active < needed) revert StakeDoesNotDeter(provider, active, needed);
    }

    /// @dev Whether a conviction at `convictedAt` (zero: never) reaches a job opened at `openedAt`.
    function _isConvicted(uint40 openedAt, uint40 convictedAt) internal pure returns (bool) {
        return openedAt <= convictedAt;
    }

    function _requireOpen(Job calldata job) private view returns (bytes32 jobId, PackedJob slot) {
        jobId = jobIdOf(job);
        slot = _jobs[jobId];
        if (slot.state() != JobState.OPEN) revert WrongJobState(jobId, slot.state());
    }

    /// @dev Reverts unless the offer covers the job; returns its price, at least 1.
    function _requirePrice(Offer calldata offer, Job memory opened, uint32 duration)
        private
        view
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
        if (duration < offer.minDuration || duration > _maxDuration) {
            revert DurationOutOfBounds(duration, offer.minDuration, _maxDuration);
        }
        price = JobMath.priceOf(opened.inputTokens, offer.inputPrice, opened.maxOutputTokens, offer.outputPrice);
        if (price == 0) revert ZeroPrice();
    }

    /// @dev Reverts unless the provider may take on `price` more; returns its reserve with it.
    function _requireRoom(Offer calldata offer, ProviderRecord storage record, uint256 price)
        private
        view
        returns (uint256 reserved)
    {
        if (record.frozenBatch != 0) revert ProviderIsFrozen(offer.provider, record.frozenBatch);
        reserved = record.reserved + price;
        if (reserved > offer.maxOutstanding) revert OutstandingTooHigh(offer.provider, reserved, offer.maxOutstanding);
        _requireDeterrence(offer.provider, price);
    }

    function _refund(bytes32 jobId, Job calldata job, PackedJob slot, RefundReason reason) private {
        _jobs[jobId] = slot.refunded(reason);
        _providers[job.provider].reserved -= job.price;
        _credit(job.requester, job.price);
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
