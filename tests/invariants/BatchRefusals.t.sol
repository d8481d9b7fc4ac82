// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title Why a batch is not committed, and why a decision about one is refused or skipped
contract BatchRefusalsTest is EscrowScene {
    function test_commit__of_nothing_too_much_or_by_a_stranger__is_refused() public {
        _refused(eve, IEscrowJobs.UnknownNodeKey.selector);
        escrow.commitBatch(_noLines(), _noVouchers(), _noClaims());
        _refused(node, IEscrowBatches.BatchSize.selector);
        escrow.commitBatch(_noLines(), _noVouchers(), _noClaims());
        _refused(node, IEscrowBatches.BatchSize.selector);
        escrow.commitBatch(new IEscrowBatches.Commitment[](129), _noVouchers(), _noClaims());
    }

    function test_commit__of_a_bad_job__is_refused() public {
        IEscrowJobs.Job memory job = _open();
        IEscrowBatches.Commitment[] memory lines = _line(job);
        lines[0].amount = job.price + 1;
        _refuse(lines, IEscrowBatches.AmountOverPrice.selector);
        lines = _line(job);
        lines[0].leaf = 0;
        _refuse(lines, IEscrowJobs.ZeroDigest.selector);
        lines = _line(job);
        lines[0].answerDigest = 0;
        _refuse(lines, IEscrowJobs.ZeroDigest.selector);
        lines = _line(job);
        lines[0].job.provider = eve;
        _refuse(lines, IEscrowJobs.NotProvider.selector);
        lines = _line(job);
        lines[0].job.nonce = 12_345;
        _refuse(lines, IEscrowJobs.WrongJobState.selector);
        vm.warp(block.timestamp + 1_000);
        _refuse(_line(job), IEscrowJobs.DeadlinePassed.selector);
    }

    function test_commit__of_a_bad_voucher__is_refused() public {
        IEscrowSessions.Session memory session = _session(2 ether, address(0));
        IEscrowSessions.Voucher[] memory list = _voucher(session, 3 ether, 1);
        _refuse(list, IEscrowSessions.VoucherOverCap.selector);
        _refuse(_voucher(session, 0, 1), IEscrowSessions.VoucherAddsNothing.selector);
        _refuse(_voucher(session, 1 ether, 2), IEscrowSessions.VoucherSignatureInvalid.selector);
        list = _voucher(session, 1 ether, 1);
        list[0].head = 0;
        _refuse(list, IEscrowJobs.ZeroDigest.selector);
        list = _voucher(session, 1 ether, 1);
        (list[0].r, list[0].vs) = (0, 0);
        _refuse(list, IEscrowSessions.VoucherSignatureInvalid.selector);
        list = _voucher(session, 1 ether, 1);
        list[0].session.provider = eve;
        _refuse(list, IEscrowJobs.NotProvider.selector);
        list[0].session.provider = paul;
        list[0].session.nonce = 999;
        _refuse(list, IEscrowSessions.WrongSessionState.selector);
        vm.prank(alice);
        escrow.closeSession(session);
        vm.warp(block.timestamp + stage.terms().claimDelay);
        _refuse(_voucher(session, 1 ether, 1), IEscrowSessions.ClaimsTooLate.selector);
    }

    function test_commit__signed_by_a_key__until_it_ends() public {
        address key = stage.know(77);
        vm.prank(alice);
        escrow.authoriseKey(key, 5 ether, uint40(block.timestamp + 500), new bytes32[](0));
        IEscrowSessions.Session memory session = _session(2 ether, key);
        vm.prank(alice);
        escrow.closeSession(session);
        IEscrowSessions.Voucher[] memory list = _voucher(session, 1 ether, 77);
        vm.prank(node);
        escrow.commitBatch(_noLines(), list, _noClaims());
        vm.warp(block.timestamp + 500);
        _refuse(_voucher(session, 2 ether, 77), IEscrowSessions.KeyExpired.selector);
    }

    function test_commit__of_two_versions_of_the_terms__is_refused() public {
        IEscrowJobs.Job memory job = _open();
        IEscrowTerms.Parameters memory terms = stage.terms();
        vm.prank(timelock);
        escrow.setTerms(terms);
        IEscrowSessions.Session memory session = _session(1 ether, address(0));
        IEscrowSessions.Voucher[] memory vouchers = _voucher(session, 1 ether, 1);
        IEscrowBatches.Commitment[] memory lines = _line(job);
        _refused(node, IEscrowBatches.MixedTerms.selector);
        escrow.commitBatch(lines, vouchers, _noClaims());
    }

    function test_commit__without_stake_or_cover__is_refused() public {
        IEscrowSessions.Session memory session = _session(6 ether, address(0));
        IEscrowJobs.Job memory job = _open();
        IStaking staking = IStaking(address(stage.staking()));
        vm.prank(paul);
        staking.unstake(1_900 ether);
        _refuse(_voucher(session, 6 ether, 1), IEscrowJobs.StakeDoesNotDeter.selector);
        _emptyTheCommittee();
        _refuse(_line(job), IEscrowTerms.ValueAtRisk.selector);
    }

    function test_settle__of_unequal_lists__is_refused() public {
        uint64 id = _committed();
        (
            IEscrowBatches.Decision[] memory decisions,
            IEscrowBatches.BatchHead[] memory heads,
            IEscrowBatches.Entry[][] memory entries
        ) = _decision(id, IEscrowBatches.Outcome.PASS, 0);
        uint16 version = heads[0].setVersion;
        bytes[] memory none = new bytes[](0);
        vm.expectPartialRevert(IEscrowBatches.LengthMismatch.selector);
        escrow.settle(version, decisions, heads, new IEscrowBatches.Entry[][](0), none);
        vm.expectPartialRevert(IEscrowBatches.LengthMismatch.selector);
        escrow.settle(version, decisions, new IEscrowBatches.BatchHead[](0), entries, none);
    }

    function test_settle__of_what_was_not_committed__is_refused() public {
        uint64 id = _committed();
        (
            IEscrowBatches.Decision[] memory decisions,
            IEscrowBatches.BatchHead[] memory heads,
            IEscrowBatches.Entry[][] memory entries
        ) = _decision(id, IEscrowBatches.Outcome.PASS, 0);
        decisions[0].amount += 1;
        _refuse(decisions, heads, entries, IEscrowBatches.AmountMismatch.selector);
        decisions[0].amount -= 1;
        entries[0][0].amount += 1;
        _refuse(decisions, heads, entries, IEscrowBatches.EntriesMismatch.selector);
        decisions[0].entriesHash = 0;
        _refuse(decisions, heads, entries, IEscrowBatches.EntriesMismatch.selector);
        heads[0].committedBlock += 1;
        _refuse(decisions, heads, entries, IEscrowBatches.HeadMismatch.selector);
        heads[0].committedBlock -= 1;
        decisions[0].entriesHash = heads[0].entriesHash;
        decisions[0].outcome = IEscrowBatches.Outcome.DEFAULT;
        _refuse(decisions, heads, entries, IEscrowBatches.OutcomeNotDecidable.selector);
        decisions[0].outcome = IEscrowBatches.Outcome.FRAUD;
        _refuse(decisions, heads, entries, IEscrowBatches.AmountMismatch.selector);
        decisions[0].amount = 0;
        _refuse(decisions, heads, entries, IEscrowBatches.LengthMismatch.selector);
    }

    function test_settle__of_another_set_or_of_the_ended__is_skipped() public {
        uint64 id = _committed();
        _resign(3);
        (
            IEscrowBatches.Decision[] memory decisions,
            IEscrowBatches.BatchHead[] memory heads,
            IEscrowBatches.Entry[][] memory entries
        ) = _decision(id, IEscrowBatches.Outcome.PASS, 0);
        _settle(stage.committee().version(), decisions, heads, entries);
        _assertTrue(_stateOf(id) == IEscrowBatches.BatchState.PENDING, "another set's");
        _decide(id, IEscrowBatches.Outcome.PASS, 15);
        _assertTrue(_stateOf(id) == IEscrowBatches.BatchState.MATURED, "matured");
        uint256 free = escrow.balanceOf(paul);
        _decide(id, IEscrowBatches.Outcome.PASS, 15);
        _assertEq(escrow.balanceOf(paul), free, "paid once");
    }

    function _refuse(IEscrowBatches.Commitment[] memory lines, bytes4 reason) private {
        _refused(node, reason);
        escrow.commitBatch(lines, _noVouchers(), _noClaims());
    }

    function _refuse(IEscrowSessions.Voucher[] memory vouchers, bytes4 reason) private {
        _refused(node, reason);
        escrow.commitBatch(_noLines(), vouchers, _noClaims());
    }

    function _refuse(
        IEscrowBatches.Decision[] memory decisions,
        IEscrowBatches.BatchHead[] memory heads,
        IEscrowBatches.Entry[][] memory entries,
        bytes4 reason
    ) private {
        uint16 version = stage.committee().version();
        bytes[] memory signatures = stage.sign(escrow.settlementDigest(version, decisions), 7);
        vm.expectPartialRevert(reason);
        escrow.settle(version, decisions, heads, entries, signatures);
    }
}
