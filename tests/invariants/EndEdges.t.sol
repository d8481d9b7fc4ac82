// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title Who may end a batch, with which words, and what its freezes leave behind
contract EndEdgesTest is EscrowScene {
    IEscrowBatches.Outcome private constant PASS = IEscrowBatches.Outcome.PASS;
    IEscrowBatches.Outcome private constant FRAUD = IEscrowBatches.Outcome.FRAUD;
    IEscrowBatches.Outcome private constant NOT_OPENED = IEscrowBatches.Outcome.NOT_OPENED;
    address private _court;

    function setUp() public override {
        super.setUp();
        _court = address(stage.court());
    }

    /// R22: evidence is recorded for the batch as it was committed, while it is pending.
    function test_stored__of_another_batch_or_an_ended_one__is_refused() public {
        uint64 id = _committed();
        uint16[] memory indexes = new uint16[](1);
        bytes[][] memory signatures = new bytes[][](1);
        (IEscrowBatches.BatchHead memory head, IEscrowBatches.Entry[] memory entries) = _given(id);
        signatures[0] = stage.sign(escrow.storageReceiptDigest(entries[0].answerDigest), 3);
        head.committedAt += 1;
        vm.expectPartialRevert(IEscrowBatches.HeadMismatch.selector);
        escrow.recordStored(id, head, entries, indexes, signatures);
        head.committedAt -= 1;
        entries[0].amount += 1;
        vm.expectPartialRevert(IEscrowBatches.EntriesMismatch.selector);
        escrow.recordStored(id, head, entries, indexes, signatures);
        entries[0].amount -= 1;
        _decide(id, PASS, 0);
        vm.expectPartialRevert(IEscrowBatches.WrongBatchState.selector);
        escrow.recordStored(id, head, entries, indexes, signatures);
    }

    function test_default__with_other_entries__is_refused() public {
        uint64 id = _committed();
        (IEscrowBatches.BatchHead memory head, IEscrowBatches.Entry[] memory entries) = _given(id);
        vm.warp(block.timestamp + 2_300);
        entries[0].price += 1;
        vm.expectPartialRevert(IEscrowBatches.EntriesMismatch.selector);
        escrow.matureByDefault(id, head, entries);
    }

    function test_forfeit__with_other_entries__is_refused() public {
        uint64 id = _committed();
        _decide(id, FRAUD, 0);
        (IEscrowBatches.BatchHead memory head, IEscrowBatches.Entry[] memory entries) = _given(id);
        vm.warp(block.timestamp + 900);
        entries[0].requester = eve;
        vm.expectPartialRevert(IEscrowBatches.EntriesMismatch.selector);
        escrow.forfeit(id, head, entries);
    }

    function test_openings__of_exactly_the_most__are_taken() public {
        uint64 id = _committed();
        _decide(id, NOT_OPENED, 0);
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        bytes[] memory openings = new bytes[](2);
        openings[0] = new bytes(128 * 1024 - 1);
        openings[1] = new bytes(1);
        vm.prank(node);
        escrow.postOpenings(id, head, openings);
        _assertTrue(_stateOf(id) == IEscrowBatches.BatchState.PENDING, "opened");
    }

    /// R48: the court alone releases and convicts, with the batch's own head and entries.
    function test_court__that_is_none_or_errs__is_refused() public {
        uint64 id = _committed();
        _decide(id, FRAUD, 0);
        (IEscrowBatches.BatchHead memory head, IEscrowBatches.Entry[] memory entries) = _given(id);
        _refused(eve, IEscrowTerms.OnlyCourt.selector);
        escrow.releaseFreeze(id, head, entries);
        _refused(eve, IEscrowTerms.OnlyCourt.selector);
        escrow.convict(id, head, eve, 1 ether);
        entries[0].amount += 1;
        _refused(_court, IEscrowBatches.EntriesMismatch.selector);
        escrow.releaseFreeze(id, head, entries);
        head.provider = alice;
        _refused(_court, IEscrowBatches.HeadMismatch.selector);
        escrow.convict(id, head, eve, 1 ether);
        _refused(_court, IEscrowBatches.HeadMismatch.selector);
        escrow.releaseFreeze(id, head, entries);
    }

    /// R47: a release gives the provider, and the ceiling, back.
    function test_release__of_the_only_freeze__frees_the_provider() public {
        uint64 id = _committed();
        _decide(id, FRAUD, 3);
        _assertEq(escrow.condemnedInEpoch(), 800 ether, "held");
        (IEscrowBatches.BatchHead memory head, IEscrowBatches.Entry[] memory entries) = _given(id);
        uint256 fees = escrow.feesToBurn();
        vm.prank(_court);
        escrow.releaseFreeze(id, head, entries);
        _assertEq(escrow.providerRecord(paul).frozenBatch, 0, "free");
        _assertEq(escrow.condemnedInEpoch(), 0, "nothing is condemned");
        uint256 fee = uint256(entries[0].amount) * 300 / 10_000;
        _assertEq(escrow.feesToBurn(), fees + fee - 0.004 ether, "two auditors are paid of the fee");
    }

    /// R47: while one freeze lasts the provider is frozen, and its stake held against the ceiling once.
    function test_freeze__of_two__ends_with_the_second() public {
        uint64[2] memory ids = [_committed(), _committed()];
        bytes[] memory openings = new bytes[](1);
        openings[0] = hex"01";
        for (uint256 i; i < 2; ++i) {
            _decide(ids[i], NOT_OPENED, 0);
            _assertTrue(_stateOf(ids[i]) == IEscrowBatches.BatchState.FROZEN, "frozen");
            _assertEq(escrow.condemnedInEpoch(), 800 ether, "held once");
        }
        IEscrowBatches.BatchHead memory head = book.headOf(ids[0]);
        vm.prank(paul);
        escrow.postOpenings(ids[0], head, openings);
        _assertTrue(escrow.providerRecord(paul).frozenBatch != 0, "frozen still");
        _assertEq(escrow.condemnedInEpoch(), 800 ether, "held still");
        head = book.headOf(ids[1]);
        vm.prank(paul);
        escrow.postOpenings(ids[1], head, openings);
        _assertEq(escrow.providerRecord(paul).frozenBatch, 0, "free");
        _assertEq(escrow.condemnedInEpoch(), 0, "and its part of the ceiling");
    }

    /// R4: the auditors of a cheat are paid out of the fees that wait to be burned; without any nothing is.
    function test_forfeit__of_an_audited_batch__pays_its_auditors() public {
        uint64 id = _committed();
        uint64 other = _committed();
        _decide(id, FRAUD, 3);
        _decide(other, FRAUD, 0);
        vm.warp(block.timestamp + 900);
        uint256 fees = escrow.feesToBurn();
        uint256 before = escrow.balanceOf(stage.oracles(0));
        escrow.forfeit(id, book.headOf(id), book.entriesOf(id));
        _assertEq(escrow.feesToBurn(), fees - 0.004 ether, "two audit fees");
        _assertEq(escrow.balanceOf(stage.oracles(0)), before + 0.002 ether, "one of them");
        escrow.forfeit(other, book.headOf(other), book.entriesOf(other));
        _assertEq(escrow.feesToBurn(), fees - 0.004 ether, "nobody audited the other");
        _assertEq(escrow.exposure(), 0, "nothing is exposed");
    }

    /// R47: an epoch's ceiling may be reached, and not passed by a wei.
    function test_convict__up_to_the_ceiling__is_done_and_no_further() public {
        uint64 id = _committed();
        uint64 other = _committed();
        (IEscrowBatches.BatchHead memory head,) = _given(id);
        (IEscrowBatches.BatchHead memory next,) = _given(other);
        vm.prank(_court);
        escrow.convict(id, head, eve, 0);
        _assertEq(escrow.condemnedInEpoch(), 800 ether, "two fifths of 2,000");
        _ceiling(1_280 ether - 1);
        _refused(_court, IEscrowBatches.SlashCeilingReached.selector);
        escrow.convict(other, next, eve, 0);
        _ceiling(1_280 ether);
        vm.prank(_court);
        escrow.convict(other, next, eve, 0);
        _assertEq(escrow.condemnedInEpoch(), 1_280 ether, "and two fifths of 1,200");
    }

    /// R15: a decision needs a quorum over exactly what is decided, of the batch as it was committed.
    function test_settle__without_a_quorum_or_of_other_entries__is_refused() public {
        uint64 id = _committed();
        (
            IEscrowBatches.Decision[] memory decisions,
            IEscrowBatches.BatchHead[] memory heads,
            IEscrowBatches.Entry[][] memory entries
        ) = _decision(id, PASS, 0);
        uint16 version = heads[0].setVersion;
        bytes[] memory signatures = stage.sign(escrow.settlementDigest(version, decisions), 3);
        vm.expectPartialRevert(IOracleCommittee.TooFewSignatures.selector);
        escrow.settle(version, decisions, heads, entries, signatures);
        signatures = stage.sign(escrow.settlementDigest(version, decisions), 7);
        decisions[0].auditors = 1;
        vm.expectRevert();
        escrow.settle(version, decisions, heads, entries, signatures);
        decisions[0].entriesHash = bytes32(uint256(1));
        signatures = stage.sign(escrow.settlementDigest(version, decisions), 7);
        vm.expectPartialRevert(IEscrowBatches.EntriesMismatch.selector);
        escrow.settle(version, decisions, heads, entries, signatures);
        _assertTrue(_stateOf(id) == IEscrowBatches.BatchState.PENDING, "nothing was decided");
    }

    /// R48: the court is shown what was committed, or nothing.
    function test_batch__shown_with_other_words__is_refused() public {
        uint64 id = _committed();
        (IEscrowBatches.BatchHead memory head, IEscrowBatches.Entry[] memory entries) = _given(id);
        _assertTrue(escrow.requireBatch(id, head, entries).state == IEscrowBatches.BatchState.PENDING, "as committed");
        entries[0].amount += 1;
        vm.expectPartialRevert(IEscrowBatches.EntriesMismatch.selector);
        escrow.requireBatch(id, head, entries);
        head.committedBlock += 1;
        vm.expectPartialRevert(IEscrowBatches.HeadMismatch.selector);
        escrow.requireBatch(id, head, entries);
    }

    /// R20: what was opened in the second of the conviction is reached by it.
    function test_convict__in_the_second_of_an_opening__reaches_it() public {
        uint64 id = _committed();
        IEscrowJobs.Job memory job = _open();
        IEscrowSessions.Session memory session = _session(1 ether, address(0));
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        vm.prank(_court);
        escrow.convict(id, head, eve, 0);
        escrow.refundJob(job);
        escrow.finishSession(session);
        _assertTrue(escrow.job(escrow.jobIdOf(job)).reason == IEscrowJobs.RefundReason.CONVICTED, "reason");
    }

    function _ceiling(uint96 most) private {
        IEscrowTerms.Parameters memory terms = stage.terms();
        terms.slashCeiling = most;
        vm.prank(timelock);
        escrow.setTerms(terms);
    }

    function _given(uint64 id)
        private
        view
        returns (IEscrowBatches.BatchHead memory head, IEscrowBatches.Entry[] memory entries)
    {
        return (book.headOf(id), book.entriesOf(id));
    }
}
