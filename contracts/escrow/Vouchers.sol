// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../interfaces/escrow/IEscrowSessions.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {PackedSession} from "../libraries/SessionSlot.sol";
import {Standing} from "./Standing.sol";

/// @title Vouchers: what a provider claims from a session
abstract contract Vouchers is Standing {
    /// @dev Commits a voucher of `provider` and returns its session, what it adds to the last one, wei, and its terms.
    function _claim(IEscrowSessions.Voucher calldata voucher, address provider, uint256 convictedAt, uint64 batchId)
        internal
        returns (bytes32 sessionId, uint96 added, uint16 termsVersion)
    {
        IEscrowSessions.Session calldata session = voucher.session;
        sessionId = EscrowHashes.givenSessionId(address(this), session);
        if (session.provider != provider) revert IEscrowJobs.NotProvider(sessionId, msg.sender);
        PackedSession slot = _state.sessions[sessionId];
        if (slot.state() == IEscrowSessions.SessionState.CLOSING) {
            if (block.timestamp >= slot.endsAt()) revert IEscrowSessions.ClaimsTooLate(sessionId, slot.endsAt());
        } else if (slot.state() != IEscrowSessions.SessionState.OPEN) {
            revert IEscrowSessions.WrongSessionState(sessionId, slot.state());
        }
        if (_isConvicted(session.openedAt, convictedAt)) {
            revert IEscrowSessions.SessionOfConvictedProvider(sessionId, convictedAt);
        }
        uint96 amount = voucher.amount;
        uint96 before = slot.committed();
        if (amount <= before) revert IEscrowSessions.VoucherAddsNothing(sessionId, amount, before);
        if (amount > slot.cap()) revert IEscrowSessions.VoucherOverCap(sessionId, amount, slot.cap());
        if (voucher.head == 0) revert IEscrowJobs.ZeroDigest();
        _requireVoucherSignature(voucher, sessionId);

        added = amount - before;
        termsVersion = slot.termsVersion();
        _state.sessions[sessionId] = slot.withCommitted(amount);
        emit IEscrowSessions.VoucherCommitted(sessionId, batchId, amount, voucher.units, voucher.calls, added);
    }

    function _requireVoucherSignature(IEscrowSessions.Voucher calldata voucher, bytes32 sessionId) private view {
        bytes32 digest = _hashTypedDataV4(EscrowHashes.hashGivenVoucher(sessionId, voucher));
        // Why a signature is malformed does not matter: it recovers to zero, which is refused below.
        // slither-disable-next-line unused-return
        (address signer,,) = ECDSA.tryRecover(digest, voucher.r, voucher.vs);
        address requester = voucher.session.requester;
        if (signer == requester) return;
        if (signer == address(0) || signer != voucher.session.key) {
            revert IEscrowSessions.VoucherSignatureInvalid(sessionId, signer);
        }
        uint40 endsAt = _state.keys[requester][signer].endsAt;
        if (block.timestamp >= endsAt) revert IEscrowSessions.KeyExpired(requester, signer, endsAt);
    }
}
