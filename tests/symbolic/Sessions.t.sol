// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {PackedSession, SessionSlot} from "../../contracts/libraries/SessionSlot.sol";

/// @title The stored word of a session, for every content
contract SessionProofs {
    /// @notice R38: what is put into a session's word comes out of it.
    function check_session_word__opened__reads_back(uint96 cap, uint40 endsAt, uint16 terms) public pure {
        IEscrowSessions.SessionRecord memory record = SessionSlot.opened(cap, endsAt, terms).record();
        assert(record.state == IEscrowSessions.SessionState.OPEN && record.committed == 0);
        assert(record.cap == cap && record.endsAt == endsAt && record.termsVersion == terms);
    }

    /// @notice R39: a voucher changes the committed total and nothing else, a top-up the cap and nothing else.
    function check_session_word__voucher_and_top_up__change_one_field(
        uint96 cap,
        uint96 more,
        uint96 amount,
        uint96 later,
        uint40 endsAt,
        uint16 terms
    ) public pure {
        PackedSession slot = SessionSlot.opened(cap, endsAt, terms).withCommitted(amount).withCap(more);
        slot = slot.withCommitted(later);
        assert(slot.cap() == more && slot.committed() == later);
        assert(slot.endsAt() == endsAt && slot.termsVersion() == terms);
        assert(slot.state() == IEscrowSessions.SessionState.OPEN);
    }

    /// @notice R38: closing and closed keep the money; each state is another one, and a closed session is not open
    /// again.
    function check_session_word__closing_and_closed__keep_the_money(
        uint96 cap,
        uint96 amount,
        uint40 endsAt,
        uint40 until,
        uint16 terms
    ) public pure {
        PackedSession slot = SessionSlot.opened(cap, endsAt, terms).withCommitted(amount).closing(until);
        assert(slot.state() == IEscrowSessions.SessionState.CLOSING && slot.endsAt() == until);
        assert(slot.cap() == cap && slot.committed() == amount && slot.termsVersion() == terms);
        slot = slot.closed();
        assert(slot.state() == IEscrowSessions.SessionState.CLOSED && slot.endsAt() == until);
        assert(slot.cap() == cap && slot.committed() == amount && slot.termsVersion() == terms);
    }
}
