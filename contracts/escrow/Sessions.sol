// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBalances} from "../interfaces/escrow/IEscrowBalances.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../interfaces/escrow/IEscrowSessions.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {JobMath} from "../libraries/JobMath.sol";
import {PackedSession, SessionSlot} from "../libraries/SessionSlot.sol";
import {Accounts} from "./Accounts.sol";
import {EscrowState, OpeningTerms} from "./EscrowState.sol";
import {SubKeys} from "./SubKeys.sol";

/// @title Sessions: reserved caps, from opening until what no voucher claims returns
/// @dev The vouchers themselves are committed in `Vouchers`.
abstract contract Sessions is SubKeys {
    using Accounts for EscrowState;

    /// @inheritdoc IEscrowSessions
    function openSession(
        IEscrowJobs.Offer calldata offer,
        bytes calldata offerSignature,
        uint96 cap,
        uint32 duration,
        address key,
        uint64 nonce
    ) external returns (bytes32 sessionId) {
        OpeningTerms memory terms = _openingTerms();
        if (cap == 0) revert IEscrowBalances.ZeroAmount();
        if (duration == 0 || duration > terms.maxSession) {
            revert IEscrowJobs.DurationOutOfBounds(duration, 1, terms.maxSession);
        }
        Session memory opened;
        opened.requester = msg.sender;
        opened.provider = offer.provider;
        opened.key = key;
        opened.openedAt = uint40(block.timestamp);
        opened.nonce = nonce;
        _nameOffer(offer, offerSignature, opened, terms);
        sessionId = EscrowHashes.sessionId(address(this), opened);
        if (_state.sessions[sessionId].state() != SessionState.NONE) revert SessionExists(sessionId);
        if (key != address(0)) _requireModel(opened.requester, key, offer.model);

        _useKey(msg.sender, key, cap);
        _state.debit(msg.sender, uint256(cap) + terms.openFee);
        _state.ledger.fees += terms.openFee;
        uint40 endsAt = uint40(block.timestamp + duration);
        _state.sessions[sessionId] = SessionSlot.opened(cap, endsAt, terms.version);
        _announce(sessionId, opened, cap, endsAt);
    }

    /// @inheritdoc IEscrowSessions
    function topUpSession(Session calldata session_, uint96 amount) external {
        bytes32 sessionId = sessionIdOf(session_);
        if (amount == 0) revert IEscrowBalances.ZeroAmount();
        if (msg.sender != session_.requester) revert IEscrowJobs.NotRequester(sessionId, msg.sender);
        PackedSession slot = _requireOpen(sessionId);

        _useKey(msg.sender, session_.key, amount);
        _state.debit(msg.sender, amount);
        uint96 cap = slot.cap() + amount;
        _state.sessions[sessionId] = slot.withCap(cap);
        emit SessionToppedUp(sessionId, amount, cap);
    }

    /// @inheritdoc IEscrowSessions
    function closeSession(Session calldata session_) external {
        bytes32 sessionId = sessionIdOf(session_);
        PackedSession slot = _requireOpen(sessionId);
        bool isParty = msg.sender == session_.requester || msg.sender == session_.provider
            || _staking.providerOf(msg.sender) == session_.provider;
        if (!isParty && block.timestamp < slot.endsAt()) revert SessionNotOver(sessionId, slot.endsAt());

        uint40 claimUntil = uint40(block.timestamp + _state.terms[slot.termsVersion()].claimDelay);
        _state.sessions[sessionId] = slot.closing(claimUntil);
        emit SessionClosing(sessionId, claimUntil);
    }

    /// @inheritdoc IEscrowSessions
    function finishSession(Session calldata session_) external {
        bytes32 sessionId = sessionIdOf(session_);
        PackedSession slot = _state.sessions[sessionId];
        SessionState where = slot.state();
        bool isConvicted = _isConvicted(session_.openedAt, _state.providers[session_.provider].convictedAt);
        if (where != SessionState.CLOSING && !(isConvicted && where == SessionState.OPEN)) {
            revert WrongSessionState(sessionId, where);
        }
        if (!isConvicted && block.timestamp < slot.endsAt()) revert SessionNotOver(sessionId, slot.endsAt());

        uint96 left = slot.cap() - slot.committed();
        _state.sessions[sessionId] = slot.closed();
        if (session_.key != address(0)) _state.keys[session_.requester][session_.key].used -= left;
        _state.credit(session_.requester, left);
        emit SessionClosed(sessionId, slot.committed(), left);
    }

    /// @inheritdoc IEscrowSessions
    function session(bytes32 sessionId) external view returns (SessionRecord memory) {
        return _state.sessions[sessionId].record();
    }

    /// @inheritdoc IEscrowSessions
    function voucherDigest(bytes32 sessionId, uint96 amount, uint64 units, uint32 calls, bytes32 head, bytes32 inFlight)
        external
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(EscrowHashes.hashVoucher(sessionId, amount, units, calls, head, inFlight));
    }

    /// @inheritdoc IEscrowSessions
    function sessionIdOf(Session calldata session_) public view returns (bytes32) {
        return EscrowHashes.givenSessionId(address(this), session_);
    }

    function _requireOpen(bytes32 sessionId) private view returns (PackedSession slot) {
        slot = _state.sessions[sessionId];
        if (slot.state() != SessionState.OPEN) revert WrongSessionState(sessionId, slot.state());
    }

    /// @dev Reverts unless the offer stands and the stake deters its largest call; names both in the session.
    function _nameOffer(
        IEscrowJobs.Offer calldata offer,
        bytes calldata signature,
        Session memory opened,
        OpeningTerms memory terms
    ) private view {
        uint256 largest = JobMath.priceOf(
            offer.maxInputTokens, offer.inputPrice, offer.maxOutputTokens, offer.outputPrice
        );
        if (largest == 0) revert IEscrowJobs.ZeroPrice();
        opened.offerDigest = _requireStanding(offer, signature, _state.providers[offer.provider], terms, largest);
        if (largest > type(uint96).max) {
            revert IEscrowJobs.OutstandingTooHigh(offer.provider, largest, type(uint96).max);
        }
        opened.largestCall = uint96(largest);
    }

    function _announce(bytes32 sessionId, Session memory opened, uint96 cap, uint40 endsAt) private {
        emit SessionOpened(
            sessionId,
            opened.requester,
            opened.provider,
            opened.offerDigest,
            opened.key,
            opened.largestCall,
            opened.nonce,
            cap,
            endsAt
        );
    }
}
