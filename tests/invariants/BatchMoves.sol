// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {Book} from "./Book.sol";
import {Moves} from "./Moves.sol";
import {Shadow} from "./Shadow.sol";

/// @title A provider's commitments: jobs, vouchers, or both
contract BatchMoves is Moves {
    uint256 private constant MOST_LINES = 4;

    /// @dev What is picked for one batch, all of one version of the terms.
    struct Picked {
        IEscrowBatches.Commitment[] jobs;
        IEscrowSessions.Voucher[] vouchers;
        IEscrowSessions.InFlightClaim[] claims;
        uint256 jobCount;
        uint256 voucherCount;
        uint256 claimCount;
        uint16 version;
    }

    /// @notice The last voucher that was committed, for the tries to commit it again, and the claim on it, if any.
    IEscrowSessions.Voucher private _last;
    IEscrowSessions.InFlightClaim[] private _lastClaims;

    constructor(Book book_, Shadow shadow_) Moves(book_, shadow_) {}

    function commitJobs(uint256 who, uint256 seed) external told {
        address provider = _provider(who);
        Picked memory its = _empty();
        _pickJobs(its, provider, seed);
        _commit(provider, its);
    }

    function commitVouchers(uint256 who, uint256 seed) external told {
        address provider = _provider(who);
        Picked memory its = _empty();
        _pickVouchers(its, provider, seed);
        _commit(provider, its);
    }

    function commitBoth(uint256 who, uint256 seed) external told {
        address provider = _provider(who);
        Picked memory its = _empty();
        _pickVouchers(its, provider, seed);
        _pickJobs(its, provider, seed);
        _commit(provider, its);
    }

    /// @notice The last voucher once more, alone: it can add nothing, whatever happened since.
    function commitVoucherAgain() external told {
        _tryLast(_lastClaims, "a voucher was committed twice");
    }

    /// @notice The last voucher that named calls in flight, as it stands, or for one wei more than it says.
    function claimTooMuch(uint256 seed) external told {
        IEscrowSessions.InFlightClaim[] memory claims = _lastClaims;
        if (claims.length == 0) revert Book.NothingToPick();
        if (seed % 2 == 0) claims = new IEscrowSessions.InFlightClaim[](0);
        else claims[0].amount = _last.amount + 1;
        _tryLast(claims, "more was claimed than a voucher allows");
    }

    /// @notice All that the last voucher that named calls in flight allows, after less of it was claimed.
    function claimTheRest(uint256 seed) external told {
        Picked memory its = _empty();
        if (_lastClaims.length == 0) revert Book.NothingToPick();
        its.vouchers[its.voucherCount++] = _last;
        its.claims[its.claimCount++] = _claimOf(0, _last.amount, seed);
        its.version = escrow.session(escrow.sessionIdOf(_last.session)).termsVersion;
        _commit(_last.session.provider, its);
    }

    function _tryLast(IEscrowSessions.InFlightClaim[] memory claims, string memory what) private {
        IEscrowSessions.Voucher memory voucher = _last;
        if (voucher.amount == 0) revert Book.NothingToPick();
        IEscrowSessions.Voucher[] memory vouchers = new IEscrowSessions.Voucher[](1);
        vouchers[0] = voucher;
        vm.prank(staking.nodeKeyOf(voucher.session.provider));
        try escrow.commitBatch(new IEscrowBatches.Commitment[](0), vouchers, claims) {
            shadow.note(19, false, what);
        } catch {}
    }

    function _commit(address provider, Picked memory its) private {
        (IEscrowBatches.Commitment[] memory jobs, uint256 count) = (its.jobs, its.jobCount);
        IEscrowSessions.Voucher[] memory vouchers = its.vouchers;
        IEscrowSessions.InFlightClaim[] memory claims = its.claims;
        (uint256 more, uint256 claimed) = (its.voucherCount, its.claimCount);
        assembly ("memory-safe") {
            mstore(jobs, count)
            mstore(vouchers, more)
            mstore(claims, claimed)
        }
        IEscrowBatches.Entry[] memory entries = _entries(its);
        vm.prank(staking.nodeKeyOf(provider));
        uint64 id = escrow.commitBatch(jobs, vouchers, claims);
        IEscrowBatches.BatchHead memory head = IEscrowBatches.BatchHead(
            provider,
            uint40(block.timestamp),
            uint40(block.number),
            committee.version(),
            its.version,
            keccak256(abi.encode(entries))
        );
        book.addBatch(id, head, entries);
        escrow.requireBatch(id, head, entries);
        if (more != 0) _remember(vouchers[0], claims);
        shadow.note(38, escrow.exposure() <= escrow.coverage(), "committed over the coverage");
    }

    function _remember(IEscrowSessions.Voucher memory voucher, IEscrowSessions.InFlightClaim[] memory claims) private {
        _last = voucher;
        delete _lastClaims;
        if (voucher.inFlight != 0) _lastClaims.push(claims[0]);
    }

    function _entries(Picked memory its) private view returns (IEscrowBatches.Entry[] memory entries) {
        (IEscrowBatches.Commitment[] memory jobs, IEscrowSessions.Voucher[] memory vouchers) = (its.jobs, its.vouchers);
        uint256 next;
        entries = new IEscrowBatches.Entry[](jobs.length + vouchers.length);
        for (uint256 i; i < jobs.length; ++i) {
            IEscrowJobs.Job memory job = jobs[i].job;
            entries[i] = IEscrowBatches.Entry(
                escrow.jobIdOf(job), job.requester, job.price, jobs[i].amount, jobs[i].leaf, jobs[i].answerDigest
            );
        }
        for (uint256 i; i < vouchers.length; ++i) {
            bytes32 id = escrow.sessionIdOf(vouchers[i].session);
            (uint96 amount, bytes32 head) = (vouchers[i].amount, vouchers[i].head);
            if (vouchers[i].inFlight != 0) {
                amount = its.claims[next].amount;
                head = _headOf(vouchers[i], its.claims[next++].links);
            }
            uint96 added = amount - escrow.session(id).committed;
            entries[jobs.length + i] = IEscrowBatches.Entry(id, vouchers[i].session.requester, added, added, head, 0);
        }
    }

    function _headOf(IEscrowSessions.Voucher memory voucher, bytes32[] memory links)
        private
        pure
        returns (bytes32 head)
    {
        if (links.length == 0) return voucher.head;
        head = keccak256(abi.encode(voucher.head, voucher.inFlight));
        for (uint256 i; i < links.length; ++i) {
            head = keccak256(abi.encode(head, links[i]));
        }
    }

    function _pickJobs(Picked memory its, address provider, uint256 seed) private view {
        uint256 count = book.jobCount();
        for (uint256 i; i < count && i < 16 && its.jobCount < MOST_LINES; ++i) {
            IEscrowJobs.Job memory job = book.jobAt(count - 1 - i);
            if (job.provider != provider || (seed >> i) & 3 == 3) continue;
            IEscrowJobs.JobRecord memory record = escrow.job(escrow.jobIdOf(job));
            if (record.state != IEscrowJobs.JobState.OPEN || record.deadline <= block.timestamp) continue;
            if (its.version != 0 && its.version != record.termsVersion) continue;
            its.version = record.termsVersion;
            its.jobs[its.jobCount++] = IEscrowBatches.Commitment(
                job, uint96(_bound(seed, 0, job.price)), keccak256(abi.encode(job)), keccak256(abi.encode(job, 1))
            );
        }
    }

    function _pickVouchers(Picked memory its, address provider, uint256 seed) private view {
        uint256 count = book.sessionCount();
        for (uint256 i; i < count && i < 16 && its.voucherCount < MOST_LINES; ++i) {
            IEscrowSessions.Session memory session = book.sessionAt(count - 1 - i);
            if (session.provider != provider || (seed >> i) & 3 == 3) continue;
            bytes32 id = escrow.sessionIdOf(session);
            IEscrowSessions.SessionRecord memory record = escrow.session(id);
            if (record.state == IEscrowSessions.SessionState.CLOSED || record.committed == record.cap) continue;
            if (its.version != 0 && its.version != record.termsVersion) continue;
            its.version = record.termsVersion;
            uint96 amount = record.committed + uint96(_bound(seed, 1, record.cap - record.committed));
            bytes32 inFlight = (seed >> 32 + i) & 1 == 0 ? bytes32(0) : keccak256(abi.encode(seed, i));
            if (inFlight != 0) {
                uint96 claimed = uint96(_bound(seed >> 8, record.committed + 1, amount));
                its.claims[its.claimCount++] = _claimOf(uint16(its.voucherCount), claimed, seed >> 64);
            }
            its.vouchers[its.voucherCount++] = _voucher(session, id, amount, inFlight);
        }
    }

    /// @dev With no link, one or two.
    function _claimOf(uint16 place, uint96 amount, uint256 seed)
        private
        pure
        returns (IEscrowSessions.InFlightClaim memory claim)
    {
        bytes32[] memory links = new bytes32[](seed % 3);
        for (uint256 i; i < links.length; ++i) {
            links[i] = keccak256(abi.encode(seed, i));
        }
        claim = IEscrowSessions.InFlightClaim(place, amount, uint64(links.length), links);
    }

    /// @dev Signed by the requester, or by the session's key for a requester that cannot sign.
    function _voucher(IEscrowSessions.Session memory session, bytes32 id, uint96 amount, bytes32 inFlight)
        private
        view
        returns (IEscrowSessions.Voucher memory its)
    {
        its = IEscrowSessions.Voucher(
            session, amount, uint64(amount / 1e12), 1, keccak256(abi.encode(id, amount)), inFlight, 0, 0
        );
        uint256 key = stage.keyOf(session.requester);
        if (key == 0 || amount % 2 == 0) {
            if (session.key != address(0)) key = stage.keyOf(session.key);
        }
        uint8 v;
        (v, its.r, its.vs) = vm.sign(key, escrow.voucherDigest(id, amount, its.units, its.calls, its.head, inFlight));
        if (v == 28) its.vs |= bytes32(uint256(1) << 255);
    }

    function _empty() private pure returns (Picked memory its) {
        its.jobs = new IEscrowBatches.Commitment[](MOST_LINES);
        its.vouchers = new IEscrowSessions.Voucher[](MOST_LINES);
        its.claims = new IEscrowSessions.InFlightClaim[](MOST_LINES);
    }
}
