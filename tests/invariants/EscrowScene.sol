// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {OracleCommittee} from "../../contracts/OracleCommittee.sol";
import {IJobEscrow} from "../../contracts/interfaces/IJobEscrow.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {Base} from "./Base.sol";
import {Book} from "./Book.sol";
import {Offers} from "./JobMoves.sol";
import {Stage} from "./Stage.sol";

/// @title One requester, one provider, and the steps that tests of the escrow are made of
abstract contract EscrowScene is Base {
    Stage internal stage;
    Book internal book;
    IJobEscrow internal escrow;
    address internal alice;
    address internal paul;
    address internal node;
    address internal eve;
    address internal timelock;
    uint64 private _nonce;

    function setUp() public virtual {
        vm.warp(1_000_000);
        vm.roll(100);
        stage = new Stage();
        book = new Book(stage);
        book.invite();
        escrow = stage.escrow();
        (alice, paul, eve) = (book.people(0), book.people(2), book.stranger());
        node = stage.staking().nodeKeyOf(paul);
        timelock = address(stage.timelock());
    }

    /// @dev The next call must be refused for this reason, made by `who`.
    function _refused(address who, bytes4 reason) internal {
        vm.prank(who);
        vm.expectPartialRevert(reason);
    }

    function _signed(IEscrowJobs.Offer memory offer) internal view returns (bytes memory) {
        return stage.signBy(node, escrow.offerDigest(offer));
    }

    function _offer() internal view returns (IEscrowJobs.Offer memory) {
        return Offers.standing(paul, 0);
    }

    /// @dev The job that the next `_send` opens, under this offer.
    function _job(IEscrowJobs.Offer memory offer) internal returns (IEscrowJobs.Job memory job) {
        job = IEscrowJobs.Job(alice, paul, escrow.offerDigest(offer), bytes32(uint256(1)), 100, 200, 0, ++_nonce);
        job.price = job.inputTokens * offer.inputPrice + job.maxOutputTokens * offer.outputPrice;
    }

    function _open() internal returns (IEscrowJobs.Job memory job) {
        IEscrowJobs.Offer memory offer = _offer();
        job = _job(offer);
        bytes memory signature = _signed(offer);
        vm.prank(alice);
        escrow.openJob(offer, signature, job.specDigest, job.inputTokens, job.maxOutputTokens, 1_000, job.nonce);
    }

    function _session(uint96 cap, address key) internal returns (IEscrowSessions.Session memory session) {
        IEscrowJobs.Offer memory offer = _offer();
        bytes32 digest = escrow.offerDigest(offer);
        uint96 largest = 1_000 * offer.inputPrice + 1_000 * offer.outputPrice;
        session = IEscrowSessions.Session(alice, paul, digest, key, largest, uint40(block.timestamp), ++_nonce);
        bytes memory signature = _signed(offer);
        vm.prank(alice);
        escrow.openSession(offer, signature, cap, 1_000, key, session.nonce);
    }

    function _voucher(IEscrowSessions.Session memory session, uint96 amount, uint256 key)
        internal
        view
        returns (IEscrowSessions.Voucher[] memory)
    {
        return _voucherOf(session, amount, key, 0);
    }

    /// @dev The same, and it names calls in flight unless `inFlight` is zero.
    function _voucherOf(IEscrowSessions.Session memory session, uint96 amount, uint256 key, bytes32 inFlight)
        internal
        view
        returns (IEscrowSessions.Voucher[] memory list)
    {
        list = new IEscrowSessions.Voucher[](1);
        // A copy, which a test may spoil.
        session = abi.decode(abi.encode(session), (IEscrowSessions.Session));
        list[0] = IEscrowSessions.Voucher(session, amount, 1, 1, bytes32(uint256(5)), inFlight, 0, 0);
        bytes32 digest = escrow.voucherDigest(escrow.sessionIdOf(session), amount, 1, 1, bytes32(uint256(5)), inFlight);
        uint8 v;
        (v, list[0].r, list[0].vs) = vm.sign(key, digest);
        if (v == 28) list[0].vs |= bytes32(uint256(1) << 255);
    }

    function _line(IEscrowJobs.Job memory job) internal pure returns (IEscrowBatches.Commitment[] memory lines) {
        lines = new IEscrowBatches.Commitment[](1);
        // A copy, which a test may spoil.
        job = abi.decode(abi.encode(job), (IEscrowJobs.Job));
        lines[0] = IEscrowBatches.Commitment(job, job.price / 2, bytes32(uint256(8)), keccak256(abi.encode(job)));
    }

    function _noVouchers() internal pure returns (IEscrowSessions.Voucher[] memory) {
        return new IEscrowSessions.Voucher[](0);
    }

    function _noClaims() internal pure returns (IEscrowSessions.InFlightClaim[] memory) {
        return new IEscrowSessions.InFlightClaim[](0);
    }

    function _noLines() internal pure returns (IEscrowBatches.Commitment[] memory) {
        return new IEscrowBatches.Commitment[](0);
    }

    /// @dev A fresh batch of one job; its head and entries are in the book.
    function _committed() internal returns (uint64 id) {
        IEscrowJobs.Job memory job = _open();
        IEscrowBatches.Commitment[] memory lines = _line(job);
        vm.prank(node);
        id = escrow.commitBatch(lines, _noVouchers(), _noClaims());
        IEscrowBatches.Entry[] memory entries = new IEscrowBatches.Entry[](1);
        entries[0] = IEscrowBatches.Entry(
            escrow.jobIdOf(job), alice, job.price, lines[0].amount, lines[0].leaf, lines[0].answerDigest
        );
        _note(id, entries);
    }

    /// @dev A fresh batch of one voucher.
    function _claimed(uint96 amount) internal returns (uint64 id) {
        IEscrowSessions.Session memory session = _session(amount, address(0));
        IEscrowSessions.Voucher[] memory vouchers = _voucher(session, amount, 1);
        vm.prank(node);
        id = escrow.commitBatch(_noLines(), vouchers, _noClaims());
        IEscrowBatches.Entry[] memory entries = new IEscrowBatches.Entry[](1);
        entries[0] =
            IEscrowBatches.Entry(escrow.sessionIdOf(session), alice, amount, amount, vouchers[0].head, bytes32(0));
        _note(id, entries);
    }

    /// @dev Sends a quorum's decision about one batch.
    function _decide(uint64 id, IEscrowBatches.Outcome outcome, uint32 auditors) internal {
        (
            IEscrowBatches.Decision[] memory decisions,
            IEscrowBatches.BatchHead[] memory heads,
            IEscrowBatches.Entry[][] memory entries
        ) = _decision(id, outcome, auditors);
        _settle(heads[0].setVersion, decisions, heads, entries);
    }

    function _settle(
        uint16 version,
        IEscrowBatches.Decision[] memory decisions,
        IEscrowBatches.BatchHead[] memory heads,
        IEscrowBatches.Entry[][] memory entries
    ) internal {
        bytes[] memory signatures = stage.sign(escrow.settlementDigest(version, decisions), 7);
        escrow.settle(version, decisions, heads, entries, signatures);
    }

    function _decision(uint64 id, IEscrowBatches.Outcome outcome, uint32 auditors)
        internal
        view
        returns (
            IEscrowBatches.Decision[] memory decisions,
            IEscrowBatches.BatchHead[] memory heads,
            IEscrowBatches.Entry[][] memory entries
        )
    {
        decisions = new IEscrowBatches.Decision[](1);
        heads = new IEscrowBatches.BatchHead[](1);
        entries = new IEscrowBatches.Entry[][](1);
        heads[0] = book.headOf(id);
        uint96 amount;
        if (outcome == IEscrowBatches.Outcome.PASS) {
            entries[0] = book.entriesOf(id);
            amount = entries[0][0].amount;
        }
        decisions[0] = IEscrowBatches.Decision(id, heads[0].entriesHash, outcome, amount, auditors);
    }

    function _emptyTheCommittee() internal {
        for (uint256 i; i < 4; ++i) {
            _resign(i);
        }
    }

    function _resign(uint256 place) internal {
        OracleCommittee committee = stage.committee();
        vm.prank(stage.oracles(place));
        committee.resign();
    }

    function _stateOf(uint64 id) internal view returns (IEscrowBatches.BatchState) {
        return escrow.batch(id).state;
    }

    function _note(uint64 id, IEscrowBatches.Entry[] memory entries) private {
        IEscrowBatches.BatchHead memory head = IEscrowBatches.BatchHead(
            paul,
            uint40(block.timestamp),
            uint40(block.number),
            stage.committee().version(),
            escrow.termsVersion(),
            keccak256(abi.encode(entries))
        );
        book.addBatch(id, head, entries);
    }
}
