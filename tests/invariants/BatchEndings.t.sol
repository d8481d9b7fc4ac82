// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title Freezes, last chances, defaults and convictions of batches
contract BatchEndingsTest is EscrowScene {
    IEscrowBatches.Outcome private constant PASS = IEscrowBatches.Outcome.PASS;
    IEscrowBatches.Outcome private constant FRAUD = IEscrowBatches.Outcome.FRAUD;
    IEscrowBatches.Outcome private constant NOT_OPENED = IEscrowBatches.Outcome.NOT_OPENED;
    address private _court;

    function setUp() public override {
        super.setUp();
        _court = address(stage.court());
    }

    function test_pass__of_a_job__pays_it_and_whoever_audited() public {
        uint64 id = _committed();
        address proposer = stage.committee().proposer(book.headOf(id).setVersion);
        (
            IEscrowBatches.Decision[] memory decisions,
            IEscrowBatches.BatchHead[] memory heads,
            IEscrowBatches.Entry[][] memory entries
        ) = _decision(id, PASS, 3);
        bytes[] memory signatures = stage.sign(escrow.settlementDigest(heads[0].setVersion, decisions), 7);
        vm.prank(proposer);
        escrow.settle(heads[0].setVersion, decisions, heads, entries, signatures);
        uint256 amount = decisions[0].amount;
        uint256 fee = amount * 300 / 10_000;
        _assertEq(escrow.balanceOf(paul), amount - fee, "payout");
        _assertEq(escrow.balanceOf(stage.oracles(0)) + escrow.balanceOf(stage.oracles(1)), 0.0065 ether, "fees");
        _assertTrue(escrow.job(entries[0][0].jobId).state == IEscrowJobs.JobState.SETTLED, "settled");
        escrow.burnFees();
    }

    function test_fraud__unanswered__forfeits_and_convicts() public {
        uint64 id = _committed();
        uint64 other = _claimed(1 ether);
        IEscrowSessions.Session memory session = _session(1 ether, address(0));
        IEscrowJobs.Job memory open = _open();
        uint256 free = escrow.balanceOf(alice);
        _decide(id, FRAUD, 3);
        _refusedForfeit(id, IEscrowBatches.TooEarly.selector);
        _refusedForfeit(other, IEscrowBatches.WrongBatchState.selector);
        _decide(other, PASS, 0);
        _assertTrue(_stateOf(other) == IEscrowBatches.BatchState.PENDING, "its provider is frozen");
        _refusedOpening(IEscrowJobs.ProviderIsFrozen.selector);
        vm.warp(block.timestamp + 900);
        escrow.forfeit(id, book.headOf(id), book.entriesOf(id));
        _assertTrue(escrow.job(book.entriesOf(id)[0].jobId).reason == IEscrowJobs.RefundReason.FRAUD, "fraud");
        _assertEq(stage.staking().slashableStake(paul), 1_200 ether, "two fifths are gone");
        _decide(other, PASS, 0);
        _assertTrue(_stateOf(other) == IEscrowBatches.BatchState.PENDING, "its provider is convicted");
        _refusedDefault(other, IEscrowBatches.TooEarly.selector);
        IEscrowSessions.Voucher[] memory vouchers = _voucher(session, 1 ether, 1);
        _refused(node, IEscrowSessions.SessionOfConvictedProvider.selector);
        escrow.commitBatch(_noLines(), vouchers, _noClaims());
        IEscrowBatches.Commitment[] memory lines = _line(open);
        _refused(node, IEscrowJobs.JobOfConvictedProvider.selector);
        escrow.commitBatch(lines, _noVouchers(), _noClaims());
        escrow.refundJob(open);
        escrow.finishSession(session);
        escrow.forfeit(other, book.headOf(other), book.entriesOf(other));
        _assertTrue(escrow.batch(other).state == IEscrowBatches.BatchState.FORFEITED, "given back");
        _assertEq(escrow.balanceOf(alice), free + open.price * 2 + 2 ether, "all that was not paid");
        _assertEq(escrow.exposure(), 0, "nothing is exposed");
    }

    function test_default__of_a_convicted_provider__is_refused() public {
        uint64 id = _committed();
        uint64 other = _committed();
        _decide(id, FRAUD, 0);
        vm.warp(block.timestamp + 2_300);
        _refusedDefault(other, IEscrowJobs.ProviderIsFrozen.selector);
        _refusedDefault(id, IEscrowBatches.WrongBatchState.selector);
        escrow.forfeit(id, book.headOf(id), book.entriesOf(id));
        _refusedDefault(other, IEscrowBatches.BatchOfConvictedProvider.selector);
        escrow.forfeit(other, book.headOf(other), book.entriesOf(other));
        _assertTrue(escrow.job(book.entriesOf(other)[0].jobId).reason == IEscrowJobs.RefundReason.CONVICTED, "reason");
    }

    function test_not_opened__unanswered__forfeits() public {
        uint64 id = _committed();
        _decide(id, NOT_OPENED, 1);
        _assertTrue(escrow.batch(id).outcome == NOT_OPENED, "outcome");
        vm.warp(block.timestamp + 310);
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        bytes[] memory openings = new bytes[](1);
        openings[0] = hex"01";
        _refused(paul, IEscrowBatches.TooLate.selector);
        escrow.postOpenings(id, head, openings);
        escrow.forfeit(id, head, book.entriesOf(id));
        _assertTrue(escrow.job(book.entriesOf(id)[0].jobId).reason == IEscrowJobs.RefundReason.NOT_OPENED, "reason");
        _assertTrue(escrow.batch(id).outcome == NOT_OPENED, "outcome of the forfeited");
    }

    function test_not_opened__answered_on_chain__is_pending_once_more() public {
        uint64 id = _committed();
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        bytes[] memory openings = new bytes[](1);
        openings[0] = hex"01";
        _refused(paul, IEscrowBatches.NothingToOpen.selector);
        escrow.postOpenings(id, head, openings);
        _decide(id, NOT_OPENED, 0);
        _refused(eve, IEscrowJobs.NotProvider.selector);
        escrow.postOpenings(id, head, openings);
        _refused(node, IEscrowBatches.OpeningsTooLarge.selector);
        escrow.postOpenings(id, head, new bytes[](0));
        openings[0] = new bytes(128 * 1024 + 1);
        _refused(node, IEscrowBatches.OpeningsTooLarge.selector);
        escrow.postOpenings(id, head, openings);
        openings[0] = hex"01";
        vm.prank(node);
        escrow.postOpenings(id, head, openings);
        _decide(id, NOT_OPENED, 0);
        _assertTrue(_stateOf(id) == IEscrowBatches.BatchState.PENDING, "opened on-chain");
        vm.warp(block.timestamp + 2_299);
        _refusedDefault(id, IEscrowBatches.TooEarly.selector);
        _decide(id, FRAUD, 0);
        _assertTrue(_stateOf(id) == IEscrowBatches.BatchState.FROZEN, "read and found wrong");
    }

    function test_openings__of_a_convicted_provider__are_refused() public {
        uint64 id = _committed();
        uint64 other = _committed();
        _decide(id, FRAUD, 0);
        _decide(other, NOT_OPENED, 0);
        bytes[] memory openings = new bytes[](1);
        openings[0] = hex"01";
        IEscrowBatches.BatchHead memory head = book.headOf(other);
        IEscrowBatches.BatchHead memory first = book.headOf(id);
        vm.prank(_court);
        escrow.convict(id, first, eve, type(uint96).max);
        if (_stateOf(other) == IEscrowBatches.BatchState.FROZEN) {
            _refused(paul, IEscrowBatches.BatchOfConvictedProvider.selector);
            escrow.postOpenings(other, head, openings);
            escrow.forfeit(other, head, book.entriesOf(other));
        }
        _refusedRelease(id, IEscrowBatches.BatchOfConvictedProvider.selector);
        escrow.forfeit(id, first, book.entriesOf(id));
        _assertEq(stage.staking().awardOf(eve), 88 ether, "eleven hundredths of 800");
    }

    function test_freeze__of_the_same_provider__ends_with_its_last_one() public {
        uint64 id = _committed();
        uint64 other = _committed();
        _decide(id, NOT_OPENED, 0);
        _decide(other, NOT_OPENED, 0);
        bytes[] memory openings = new bytes[](1);
        openings[0] = hex"01";
        uint64[2] memory ids = [id, other];
        for (uint256 i; i < 2; ++i) {
            IEscrowBatches.BatchHead memory head = book.headOf(ids[i]);
            if (_stateOf(ids[i]) != IEscrowBatches.BatchState.FROZEN) continue;
            vm.prank(paul);
            escrow.postOpenings(ids[i], head, openings);
        }
        _assertEq(escrow.providerRecord(paul).frozenBatch, 0, "free again");
        _assertEq(escrow.condemnedInEpoch(), 0, "and its part of the ceiling with it");
    }

    function test_freeze__that_outlasts_its_epoch__leaves_the_next_ceiling_alone() public {
        vm.warp(block.timestamp / 2_400 * 2_400 + 2_300);
        uint64 id = _committed();
        _decide(id, NOT_OPENED, 0);
        vm.warp(block.timestamp + 200);
        _assertEq(escrow.condemnedInEpoch(), 0, "a new epoch");
        bytes[] memory openings = new bytes[](1);
        openings[0] = hex"01";
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        vm.prank(paul);
        escrow.postOpenings(id, head, openings);
        _decide(id, FRAUD, 0);
        _assertEq(escrow.condemnedInEpoch(), 800 ether, "condemned in the new epoch");
    }

    function test_freeze__over_the_ceiling__is_skipped_or_refused() public {
        IEscrowTerms.Parameters memory terms = stage.terms();
        terms.slashCeiling = 1 ether;
        vm.prank(timelock);
        escrow.setTerms(terms);
        uint64 id = _committed();
        uint64 other = _committed();
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        vm.prank(_court);
        escrow.convict(id, head, eve, type(uint96).max);
        _assertEq(stage.staking().awardOf(eve), 0.11 ether, "a share of the ceiling");
        head = book.headOf(other);
        vm.prank(_court);
        vm.expectPartialRevert(IEscrowBatches.SlashCeilingReached.selector);
        escrow.convict(other, head, eve, 0);
        vm.warp(block.timestamp + 1);
        uint64 third = _committed();
        _decide(third, FRAUD, 0);
        _assertTrue(_stateOf(third) == IEscrowBatches.BatchState.PENDING, "over the ceiling");
    }

    function test_court__of_a_frozen_batch__holds_it_once_and_releases_it() public {
        uint64 id = _committed();
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        IEscrowBatches.Entry[] memory entries = book.entriesOf(id);
        _refused(eve, IEscrowTerms.OnlyCourt.selector);
        escrow.holdFreeze(id, 1);
        _refused(_court, IEscrowBatches.WrongBatchState.selector);
        escrow.holdFreeze(id, 1);
        _refusedRelease(id, IEscrowBatches.WrongBatchState.selector);
        _decide(id, FRAUD, 3);
        uint40 until = uint40(block.timestamp + 1_000);
        vm.prank(_court);
        escrow.holdFreeze(id, until);
        _refused(_court, IEscrowBatches.AppealedAlready.selector);
        escrow.holdFreeze(id, until);
        vm.prank(_court);
        escrow.releaseFreeze(id, head, entries);
        _assertTrue(_stateOf(id) == IEscrowBatches.BatchState.MATURED, "paid");
        _assertTrue(escrow.batch(id).outcome == PASS, "as PASS does");
    }

    function _refusedForfeit(uint64 id, bytes4 reason) private {
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        IEscrowBatches.Entry[] memory entries = book.entriesOf(id);
        vm.expectPartialRevert(reason);
        escrow.forfeit(id, head, entries);
    }

    function _refusedDefault(uint64 id, bytes4 reason) private {
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        IEscrowBatches.Entry[] memory entries = book.entriesOf(id);
        vm.expectPartialRevert(reason);
        escrow.matureByDefault(id, head, entries);
    }

    function _refusedRelease(uint64 id, bytes4 reason) private {
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        IEscrowBatches.Entry[] memory entries = book.entriesOf(id);
        _refused(_court, reason);
        escrow.releaseFreeze(id, head, entries);
    }

    function _refusedOpening(bytes4 reason) private {
        IEscrowJobs.Offer memory offer = _offer();
        bytes memory signature = _signed(offer);
        _refused(alice, reason);
        escrow.openJob(offer, signature, bytes32(uint256(1)), 100, 200, 1_000, 999);
    }
}
