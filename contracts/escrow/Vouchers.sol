// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../interfaces/escrow/IEscrowSessions.sol";
import {ClaimList} from "../libraries/ClaimList.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {PackedSession} from "../libraries/SessionSlot.sol";
import {Standing} from "./Standing.sol";

/// @title Vouchers: what a provider claims from a session
abstract contract Vouchers is Standing {
    /// @dev A work batch in the making.
    /// @param entries An `EntryList`.
    /// @param claims A `ClaimList`.
    /// @param hasClaim Whether `claim` is about the next voucher.
    /// @param largest Price of the largest unit that an audit may draw, wei.
    struct Draft {
        uint256 entries;
        uint256 claims;
        IEscrowSessions.InFlightClaim claim;
        bool hasClaim;
        address provider;
        uint64 batchId;
        uint40 convictedAt;
        uint16 termsVersion;
        uint96 reserved;
        uint96 vouchers;
        uint96 largest;
    }

    /// @dev Commits a voucher of the batch's provider and returns what its entry names; `added` in wei.
    function _claim(IEscrowSessions.Voucher calldata voucher, Draft memory draft)
        internal
        returns (bytes32 sessionId, address requester, uint96 added, bytes32 head, uint16 termsVersion)
    {
        IEscrowSessions.Session calldata session = voucher.session;
        sessionId = EscrowHashes.givenSessionId(address(this), session);
        if (session.provider != draft.provider) revert IEscrowJobs.NotProvider(sessionId, msg.sender);
        PackedSession slot = _state.sessions[sessionId];
        IEscrowSessions.SessionState state = slot.state();
        if (state == IEscrowSessions.SessionState.CLOSING) {
            if (block.timestamp >= slot.endsAt()) revert IEscrowSessions.ClaimsTooLate(sessionId, slot.endsAt());
        } else if (state != IEscrowSessions.SessionState.OPEN) {
            revert IEscrowSessions.WrongSessionState(sessionId, state);
        }
        if (_isConvicted(session.openedAt, draft.convictedAt)) {
            revert IEscrowSessions.SessionOfConvictedProvider(sessionId, draft.convictedAt);
        }
        uint96 amount = voucher.amount;
        if (amount > slot.cap()) revert IEscrowSessions.VoucherOverCap(sessionId, amount, slot.cap());
        head = voucher.head;
        if (head == 0) revert IEscrowJobs.ZeroDigest();
        if (draft.hasClaim || voucher.inFlight != 0) (amount, head) = _claimedOf(voucher, sessionId, draft);
        else ClaimList.push(draft.claims, amount, voucher.units, voucher.calls);
        uint96 before = slot.committed();
        if (amount <= before) revert IEscrowSessions.VoucherAddsNothing(sessionId, amount, before);
        requester = session.requester;
        _requireVoucherSignature(voucher, sessionId, requester);

        added = amount - before;
        termsVersion = slot.termsVersion();
        _state.sessions[sessionId] = slot.withCommitted(amount);
    }

    /// @dev What the draft's claim takes of its voucher: cumulative wei, at most the voucher's, and the entry's head.
    /// Notes the totals.
    function _claimedOf(IEscrowSessions.Voucher calldata voucher, bytes32 sessionId, Draft memory draft)
        private
        pure
        returns (uint96 amount, bytes32 head)
    {
        if (!draft.hasClaim) revert IEscrowSessions.ClaimMissing(sessionId);
        draft.hasClaim = false;
        IEscrowSessions.InFlightClaim memory claim = draft.claim;
        (amount, head) = (claim.amount, voucher.head);
        if (amount > voucher.amount) revert IEscrowSessions.ClaimOverVoucher(sessionId, amount, voucher.amount);
        uint256 linked = claim.links.length;
        if (linked != 0) {
            if (voucher.inFlight == 0) revert IEscrowSessions.NothingInFlight(sessionId);
            head = EscrowHashes.claimedHead(head, voucher.inFlight, claim.links);
        }
        // No calldata holds as many links as 32 bits count.
        ClaimList.push(draft.claims, amount, voucher.units + claim.units, voucher.calls + uint32(linked));
    }

    function _requireVoucherSignature(IEscrowSessions.Voucher calldata voucher, bytes32 sessionId, address requester)
        private
        view
    {
        bytes32 digest = _hashTypedDataV4(EscrowHashes.hashGivenVoucher(sessionId, voucher));
        // Why a signature is malformed does not matter: it recovers to zero, which is refused below.
        // slither-disable-next-line unused-return
        (address signer,,) = ECDSA.tryRecover(digest, voucher.r, voucher.vs);
        if (signer == requester) return;
        if (signer == address(0) || signer != voucher.session.key) {
            revert IEscrowSessions.VoucherSignatureInvalid(sessionId, signer);
        }
        uint40 endsAt = _state.keys[requester][signer].endsAt;
        if (block.timestamp >= endsAt) revert IEscrowSessions.KeyExpired(requester, signer, endsAt);
    }
}
