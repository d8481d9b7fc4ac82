// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {Campaign} from "./Campaign.sol";

/// @title The escrow: every wei has one owner, every state goes one way, everything ends once
contract EscrowTest is Campaign {
    mapping(bytes32 id => uint256) private _rank;
    mapping(bytes32 id => bytes32) private _fixed;
    mapping(bytes32 id => uint256) private _committedBefore;

    function look() external override {
        _seeJobs18();
        _seeSessions18();
        _seeBatches18();
        _seeEscrow25();
    }

    /// @notice 17, 24 (R2): tokens = free balances + exposure + session remainders + fees, to the wei.
    function invariant_17_24_escrow__tokens__cover_every_claim_exactly() public view {
        _holds(17);
        uint256 claims = escrow.feesToBurn() + escrow.exposure() + shadow.donated(address(escrow));
        for (uint256 i; i < 13; ++i) {
            claims += escrow.balanceOf(_everybody(i));
        }
        for (uint256 i; i < book.sessionCount(); ++i) {
            IEscrowSessions.SessionRecord memory record = escrow.session(escrow.sessionIdOf(book.sessionAt(i)));
            if (record.state != IEscrowSessions.SessionState.CLOSED) claims += record.cap - record.committed;
        }
        _assertEq(token.balanceOf(address(escrow)), claims, "tokens and claims");
    }

    /// @notice 17: the exposure is the sum of the prices of open jobs and of entries in pending and frozen batches.
    function invariant_17_escrow__exposure__is_what_is_open_or_unmatured() public view {
        uint256 sum;
        for (uint256 i; i < book.jobCount(); ++i) {
            IEscrowJobs.Job memory job = book.jobAt(i);
            if (escrow.job(escrow.jobIdOf(job)).state == IEscrowJobs.JobState.OPEN) sum += job.price;
        }
        for (uint64 id = 1; id <= escrow.batchCount(); ++id) {
            IEscrowBatches.BatchState state = escrow.batch(id).state;
            if (state != IEscrowBatches.BatchState.PENDING && state != IEscrowBatches.BatchState.FROZEN) continue;
            IEscrowBatches.Entry[] memory entries = book.entriesOf(id);
            for (uint256 j; j < entries.length; ++j) {
                sum += entries[j].price;
            }
        }
        _assertEq(escrow.exposure(), sum, "exposure");
    }

    /// @notice 17 (R8): what is held against an offer's ceiling is exactly what is open.
    function invariant_17_escrow__reserved__is_the_sum_of_open_jobs() public view {
        for (uint256 p; p < 3; ++p) {
            uint256 sum;
            for (uint256 i; i < book.jobCount(); ++i) {
                IEscrowJobs.Job memory job = book.jobAt(i);
                if (job.provider != book.providers(p)) continue;
                if (escrow.job(escrow.jobIdOf(job)).state == IEscrowJobs.JobState.OPEN) sum += job.price;
            }
            _assertEq(escrow.providerRecord(book.providers(p)).reserved, sum, "reserved and open jobs");
        }
    }

    /// @notice 18 (R3): OPEN -> COMMITTED -> SETTLED | REFUNDED, never back and never on from an end.
    function invariant_18_jobs__state__only_goes_on() public view {
        _holds(0);
    }

    /// @notice 18 (R38): OPEN -> CLOSING -> CLOSED; caps and committed totals never fall.
    function invariant_18_sessions__state__only_goes_on() public view {
        _holds(0);
    }

    /// @notice 18 (R16): PENDING -> FROZEN -> PENDING once | MATURED | FORFEITED; an end is an end, and has one
    /// outcome.
    function invariant_18_batches__state__only_goes_on() public view {
        _holds(0);
    }

    /// @notice 19: a job and a batch end once, a voucher pays once, a conviction slashes once.
    function invariant_19_escrow__settle_xor_refund__and_once() public view {
        _holds(19);
    }

    /// @notice 20 (R4): paid + refunded = price of each entry, payout + fee = paid of each batch.
    function invariant_20_escrow__paid_and_refunded__are_the_price() public view {
        _holds(20);
    }

    /// @notice 21 (R12): nothing open returns before its deadline, unless declined in time or convicted.
    function invariant_21_escrow__refund__never_before_its_time() public view {
        _holds(21);
    }

    /// @notice 25: parties, price, opening and terms of a job or session never change; its deadline only comes nearer.
    function invariant_25_escrow__what_was_opened__is_immutable() public view {
        _holds(0);
        _holds(25);
    }

    /// @notice 38 (R49): after each successful opening or commitment the value at risk is covered.
    function invariant_38_escrow__value_at_risk__is_covered_when_taken_on() public view {
        _holds(38);
        uint256 covered = committee.cover();
        uint256 shares =
            (uint256(escrow.parameters().slashCeiling) * escrow.parameters().challengerBps + 9_999) / 10_000;
        uint256 expected = covered > shares ? (covered - shares) / 1 gwei * 1 gwei : 0;
        _assertEq(escrow.coverage(), expected, "coverage is that of the present set and terms");
    }

    /// @notice 10 (R9): whoever opened met a stake that deters, inside the offer's ceiling.
    function invariant_10_escrow__every_opening__stood_behind_a_stake() public view {
        _holds(10);
    }

    /// @notice 50: the events alone rebuild every balance of the escrow.
    function invariant_50_escrow__events__rebuild_the_books() public view {
        _assertEq(uint256(shadow.fees()), escrow.feesToBurn(), "fees");
        _assertEq(uint256(shadow.exposed()), escrow.exposure(), "exposure");
        for (uint256 i; i < 13; ++i) {
            address whose = _everybody(i);
            _assertEq(uint256(shadow.free(whose)), escrow.balanceOf(whose), "free balance");
            _assertEq(uint256(shadow.held(whose)), token.balanceOf(whose), "wallet");
        }
        for (uint256 p; p < 3; ++p) {
            address provider = book.providers(p);
            _assertEq(uint256(shadow.reserved(provider)), escrow.providerRecord(provider).reserved, "reserved");
            _assertEq(shadow.convictedAt(provider), escrow.providerRecord(provider).convictedAt, "convicted");
        }
        int256 all = int256(escrow.feesToBurn() + escrow.exposure()) + shadow.sessionsHold();
        for (uint256 i; i < 13; ++i) {
            all += shadow.free(_everybody(i));
        }
        _assertEq(uint256(all) + shadow.donated(address(escrow)), token.balanceOf(address(escrow)), "all of it");
    }

    function _isCancelled(IEscrowJobs.JobRecord memory record) private pure returns (bool) {
        return record.state == IEscrowJobs.JobState.OPEN && record.reason == IEscrowJobs.RefundReason.CANCELLED;
    }

    /// @dev 1 pending, 2 frozen, 3 reopened, 4 frozen again, 20 and more ended with an outcome.
    function _rankOf(uint64 id, IEscrowBatches.BatchRecord memory record) private view returns (uint256) {
        bool isReopened = escrow.freezeOf(id).openedAt != 0;
        if (record.state == IEscrowBatches.BatchState.PENDING) return isReopened ? 3 : 1;
        if (record.state == IEscrowBatches.BatchState.FROZEN) return isReopened ? 4 : 2;
        if (record.state == IEscrowBatches.BatchState.NONE) return 0;
        return 20 + 10 * uint256(record.state) + uint256(record.outcome);
    }

    function _assertFixed(bytes32 id, bytes32 digest) private {
        if (_fixed[id] != 0) _assertEq(_fixed[id], digest, "an opened record changed");
        _fixed[id] = digest;
    }

    function _seeJobs18() private {
        for (uint256 i; i < book.jobCount(); ++i) {
            bytes32 id = escrow.jobIdOf(book.jobAt(i));
            IEscrowJobs.JobRecord memory record = escrow.job(id);
            uint256 rank = uint256(record.state);
            _assertTrue(rank != 0, "a job vanished");
            if (_rank[id] >= 3) _assertEq(rank, _rank[id], "an ended job moved");
            _assertLe(_rank[id], rank, "a job went back");
            _assertTrue(
                (record.reason != IEscrowJobs.RefundReason.NONE) == (rank == 4 || _isCancelled(record)), "reason"
            );
            _rank[id] = rank;
        }
    }

    function _seeSessions18() private {
        for (uint256 i; i < book.sessionCount(); ++i) {
            bytes32 id = escrow.sessionIdOf(book.sessionAt(i));
            IEscrowSessions.SessionRecord memory record = escrow.session(id);
            _assertTrue(record.state != IEscrowSessions.SessionState.NONE, "a session vanished");
            _assertLe(_rank[id], uint256(record.state), "a session went back");
            _assertLe(_committedBefore[id], record.committed, "a committed total fell");
            _assertLe(record.committed, record.cap, "committed over the cap");
            (_rank[id], _committedBefore[id]) = (uint256(record.state), record.committed);
        }
    }

    function _seeBatches18() private {
        for (uint64 id = 1; id <= escrow.batchCount(); ++id) {
            IEscrowBatches.BatchRecord memory record = escrow.batch(id);
            bytes32 key = bytes32(uint256(id));
            uint256 rank = _rankOf(id, record);
            _assertTrue(rank != 0, "a batch vanished");
            if (_rank[key] >= 20) _assertEq(rank, _rank[key], "an ended batch moved");
            _assertLe(_rank[key], rank, "a batch went back");
            _rank[key] = rank;
        }
    }

    function _seeEscrow25() private {
        for (uint256 i; i < book.jobCount(); ++i) {
            bytes32 id = escrow.jobIdOf(book.jobAt(i));
            IEscrowJobs.JobRecord memory record = escrow.job(id);
            _assertFixed(id, keccak256(abi.encode(record.openedAt, record.termsVersion)));
            if (_committedBefore[id] != 0) _assertLe(record.deadline, _committedBefore[id], "a deadline moved away");
            _committedBefore[id] = record.deadline;
        }
        for (uint256 i; i < book.sessionCount(); ++i) {
            bytes32 id = escrow.sessionIdOf(book.sessionAt(i));
            _assertFixed(id, keccak256(abi.encode(escrow.session(id).termsVersion)));
        }
    }
}
