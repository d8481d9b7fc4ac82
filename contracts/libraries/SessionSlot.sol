// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowSessions} from "../interfaces/escrow/IEscrowSessions.sol";

/// @dev A `SessionRecord` in one word: from the low end state (8 bits), cap (96), committed (96), endsAt (40),
/// termsVersion (16). Written by hand, because the compiler's own packing costs each voucher several hundred gas more.
type PackedSession is uint256;

using SessionSlot for PackedSession global;

/// @title SessionSlot: reads and makes the stored word of a session
library SessionSlot {
    uint256 private constant CAP = 8;
    uint256 private constant COMMITTED = 104;
    uint256 private constant ENDS_AT = 200;
    uint256 private constant TERMS = 240;
    uint256 private constant STATE_MASK = 0xff;
    uint256 private constant CAP_MASK = uint256(type(uint96).max) << CAP;
    uint256 private constant COMMITTED_MASK = uint256(type(uint96).max) << COMMITTED;
    uint256 private constant ENDS_AT_MASK = uint256(type(uint40).max) << ENDS_AT;

    function opened(uint96 cap_, uint40 endsAt_, uint16 termsVersion_) internal pure returns (PackedSession) {
        return PackedSession.wrap(
            uint8(IEscrowSessions.SessionState.OPEN) | uint256(cap_) << CAP | uint256(endsAt_) << ENDS_AT
                | uint256(termsVersion_) << TERMS
        );
    }

    function withCap(PackedSession self, uint96 cap_) internal pure returns (PackedSession) {
        return PackedSession.wrap(PackedSession.unwrap(self) & ~CAP_MASK | uint256(cap_) << CAP);
    }

    function withCommitted(PackedSession self, uint96 committed_) internal pure returns (PackedSession) {
        return PackedSession.wrap(PackedSession.unwrap(self) & ~COMMITTED_MASK | uint256(committed_) << COMMITTED);
    }

    /// @param claimUntil Second from which no voucher can be committed.
    function closing(PackedSession self, uint40 claimUntil) internal pure returns (PackedSession) {
        uint256 kept = PackedSession.unwrap(self) & ~(STATE_MASK | ENDS_AT_MASK);
        return PackedSession.wrap(kept | uint8(IEscrowSessions.SessionState.CLOSING) | uint256(claimUntil) << ENDS_AT);
    }

    function closed(PackedSession self) internal pure returns (PackedSession) {
        uint256 kept = PackedSession.unwrap(self) & ~STATE_MASK;
        return PackedSession.wrap(kept | uint8(IEscrowSessions.SessionState.CLOSED));
    }

    function state(PackedSession self) internal pure returns (IEscrowSessions.SessionState) {
        return IEscrowSessions.SessionState(uint8(PackedSession.unwrap(self)));
    }

    function cap(PackedSession self) internal pure returns (uint96) {
        return uint96(PackedSession.unwrap(self) >> CAP);
    }

    function committed(PackedSession self) internal pure returns (uint96) {
        return uint96(PackedSession.unwrap(self) >> COMMITTED);
    }

    function endsAt(PackedSession self) internal pure returns (uint40) {
        return uint40(PackedSession.unwrap(self) >> ENDS_AT);
    }

    function termsVersion(PackedSession self) internal pure returns (uint16) {
        return uint16(PackedSession.unwrap(self) >> TERMS);
    }

    function record(PackedSession self) internal pure returns (IEscrowSessions.SessionRecord memory) {
        return IEscrowSessions.SessionRecord({
            state: self.state(),
            cap: self.cap(),
            committed: self.committed(),
            endsAt: self.endsAt(),
            termsVersion: self.termsVersion()
        });
    }
}
