// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../interfaces/escrow/IEscrowSessions.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {Standing} from "./Standing.sol";

/// @title Vouchers: what a provider claims from a session
abstract contract Vouchers is Standing {
    /// @dev Commits a voucher of `provider` and returns its session, what it adds to the last one, wei, and its terms.
    function _claim(IEscrowSessions.Voucher calldata voucher, address provider, uint256 convictedAt, uint64 batchId)
        internal
        returns (bytes32 sessionId, uint96 added, uint16 termsVersion)
    {
        sessionId = EscrowHashes.givenSessionId(address(this), voucher.session);
        if (voucher.session.provider != provider) revert IEscrowJobs.NotProvider(sessionId, msg.sender);
        IEscrowSessions.SessionRecord memory record = _state.sessions[sessionId];
        if (record.state == IEscrowSessions.SessionState.CLOSING) {
            if (block.timestamp >= record.endsAt) revert IEscrowSessions.ClaimsTooLate(sessionId, record.endsAt);
        } else if (record.state != IEscrowSessions.SessionState.OPEN) {
            revert IEscrowSessions.WrongSessionState(sessionId, record.state);
        }
        if (_isConvicted(voucher.session.openedAt, convictedAt)) {
            revert IEscrowSessions.SessionOfConvictedProvider(sessionId, convictedAt);
        }
        if (voucher.amount <= record.committed) {
            revert IEscrowSessions.VoucherAddsNothing(sessionId, voucher.amount, record.committed);
        }
        if (voucher.amount > record.cap) revert IEscrowSessions.VoucherOverCap(sessionId, voucher.amount, record.cap);
        if (voucher.head == 0) revert IEscrowJobs.ZeroDigest();
        _requireVoucherSignature(voucher, sessionId);

        added = voucher.amount - record.committed;
        termsVersion = record.termsVersion;
        _state.sessions[sessionId].committed = voucher.amount;
        emit IEscrowSessions.VoucherCommitted(sessionId, batchId, voucher.amount, voucher.units, voucher.calls, added);
    }

    function _requireVoucherSignature(IEscrowSessions.Voucher calldata voucher, bytes32 sessionId) private view {
        bytes32 digest = _hashTypedDataV4(
            EscrowHashes.hashVoucher(sessionId, voucher.amount, voucher.units, voucher.calls, voucher.head)
        );
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
