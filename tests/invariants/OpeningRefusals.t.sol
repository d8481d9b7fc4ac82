// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IGuarded} from "../../contracts/interfaces/IGuarded.sol";
import {IEscrowBalances} from "../../contracts/interfaces/escrow/IEscrowBalances.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title Why a job or a session does not open, and who may end one
contract OpeningRefusalsTest is EscrowScene {
    function test_balance__nothing_or_too_much__is_refused() public {
        _refused(alice, IEscrowBalances.ZeroAmount.selector);
        escrow.deposit(0);
        _refused(alice, IEscrowBalances.ZeroAmount.selector);
        escrow.withdraw(0);
        _refused(alice, IEscrowBalances.BalanceTooLow.selector);
        escrow.withdraw(1_001 ether);
        vm.expectPartialRevert(IEscrowBalances.NothingToBurn.selector);
        escrow.burnFees();
    }

    function test_balance__with_a_used_permit__is_deposited_all_the_same() public {
        vm.prank(alice);
        escrow.depositWithPermit(5, block.timestamp, 27, 0, 0);
        _assertEq(escrow.balanceOf(alice), 1_000 ether + 5, "deposited");
    }

    function test_job__of_a_bad_offer__is_refused() public {
        IEscrowJobs.Offer memory offer = _offer();
        offer.expiry = uint40(block.timestamp);
        _refuseJob(offer, 100, 200, 1_000, IEscrowJobs.OfferExpired.selector);
        offer = _offer();
        offer.maxOutstanding = 0.1 ether;
        _refuseJob(offer, 100, 200, 1_000, IEscrowJobs.OutstandingTooHigh.selector);
        offer = _offer();
        (offer.inputPrice, offer.outputPrice) = (0, 0);
        _refuseJob(offer, 100, 200, 1_000, IEscrowJobs.ZeroPrice.selector);
        offer.outputPrice = 10 ether;
        offer.maxOutstanding = type(uint96).max;
        _refuseJob(offer, 100, 200, 1_000, IEscrowJobs.StakeDoesNotDeter.selector);
        offer = _offer();
        _refuseJob(offer, 0, 200, 1_000, IEscrowJobs.TokensOutOfOffer.selector);
        _refuseJob(offer, 1_001, 200, 1_000, IEscrowJobs.TokensOutOfOffer.selector);
        _refuseJob(offer, 100, 0, 1_000, IEscrowJobs.TokensOutOfOffer.selector);
        _refuseJob(offer, 100, 1_001, 1_000, IEscrowJobs.TokensOutOfOffer.selector);
        _refuseJob(offer, 100, 200, 59, IEscrowJobs.DurationOutOfBounds.selector);
        _refuseJob(offer, 100, 200, 3_601, IEscrowJobs.DurationOutOfBounds.selector);
        bytes memory signature = _signed(offer);
        _refused(alice, IEscrowJobs.ZeroDigest.selector);
        escrow.openJob(offer, signature, 0, 100, 200, 1_000, 1);
        _refused(alice, IEscrowJobs.OfferSignatureInvalid.selector);
        escrow.openJob(offer, new bytes(65), bytes32(uint256(1)), 100, 200, 1_000, 1);
        offer.provider = eve;
        _refused(alice, IEscrowJobs.OfferSignatureInvalid.selector);
        escrow.openJob(offer, new bytes(65), bytes32(uint256(1)), 100, 200, 1_000, 1);
    }

    function test_job__again_or_without_money_or_cover__is_refused() public {
        IEscrowJobs.Offer memory offer = _offer();
        IEscrowJobs.Job memory job = _open();
        bytes memory signature = _signed(offer);
        _refused(alice, IEscrowJobs.JobExists.selector);
        escrow.openJob(offer, signature, job.specDigest, job.inputTokens, job.maxOutputTokens, 1_000, job.nonce);
        _refused(eve, IEscrowBalances.BalanceTooLow.selector);
        escrow.openJob(offer, signature, job.specDigest, 100, 200, 1_000, 1);
        _emptyTheCommittee();
        _assertEq(escrow.coverage(), 0, "nothing is covered");
        _refused(alice, IEscrowTerms.ValueAtRisk.selector);
        escrow.openJob(offer, signature, job.specDigest, 100, 200, 1_000, 99);
    }

    function test_job__while_paused_or_revoked__is_refused() public {
        IEscrowJobs.Offer memory offer = _offer();
        _refused(eve, IGuarded.OnlyGuardian.selector);
        escrow.pause(uint40(block.timestamp + 1));
        _refused(stage.guardian(), IGuarded.PauseTooLong.selector);
        escrow.pause(uint40(block.timestamp + 8 days));
        vm.prank(timelock);
        escrow.pause(uint40(block.timestamp + 10));
        _refuseJob(offer, 100, 200, 1_000, IGuarded.Paused.selector);
        vm.warp(block.timestamp + 10);
        vm.prank(node);
        escrow.revokeOffers(3);
        _assertTrue(escrow.isOfferRevoked(paul, 2) && !escrow.isOfferRevoked(paul, 3), "revoked below three");
        _refuseJob(offer, 100, 200, 1_000, IEscrowJobs.OfferIsRevoked.selector);
        _refused(paul, IEscrowJobs.OffersRevokedAlready.selector);
        escrow.revokeOffers(3);
        _refused(eve, IEscrowJobs.UnknownNodeKey.selector);
        escrow.revokeOffers(1);
    }

    function test_job__ended_by_the_wrong_party_or_too_late__is_refused() public {
        IEscrowJobs.Job memory job = _open();
        _refused(eve, IEscrowJobs.NotProvider.selector);
        escrow.declineJob(job);
        _refused(eve, IEscrowJobs.NotRequester.selector);
        escrow.cancelJob(job);
        vm.expectPartialRevert(IEscrowJobs.DeadlineNotReached.selector);
        escrow.refundJob(job);
        vm.warp(block.timestamp + 40);
        _refused(paul, IEscrowJobs.DeclineTooLate.selector);
        escrow.declineJob(job);
        vm.prank(alice);
        escrow.cancelJob(job);
        _refused(alice, IEscrowJobs.CancelChangesNothing.selector);
        escrow.cancelJob(job);
        vm.warp(block.timestamp + 70);
        escrow.refundJob(job);
        _assertTrue(escrow.job(escrow.jobIdOf(job)).reason == IEscrowJobs.RefundReason.CANCELLED, "cancelled");
        vm.expectPartialRevert(IEscrowJobs.WrongJobState.selector);
        escrow.refundJob(job);
        job = _open();
        vm.prank(node);
        escrow.declineJob(job);
        job = _open();
        vm.warp(block.timestamp + 1_000);
        escrow.refundJob(job);
        _assertTrue(escrow.job(escrow.jobIdOf(job)).reason == IEscrowJobs.RefundReason.EXPIRED, "expired");
    }

    function test_session__of_bad_numbers__is_refused() public {
        IEscrowJobs.Offer memory offer = _offer();
        bytes memory signature = _signed(offer);
        _refused(alice, IEscrowBalances.ZeroAmount.selector);
        escrow.openSession(offer, signature, 0, 100, address(0), 1);
        _refused(alice, IEscrowJobs.DurationOutOfBounds.selector);
        escrow.openSession(offer, signature, 1 ether, 0, address(0), 1);
        _refused(alice, IEscrowJobs.DurationOutOfBounds.selector);
        escrow.openSession(offer, signature, 1 ether, 7_201, address(0), 1);
        IEscrowSessions.Session memory session = _session(1 ether, address(0));
        _refused(alice, IEscrowSessions.SessionExists.selector);
        escrow.openSession(offer, signature, 1 ether, 1_000, address(0), session.nonce);
        (offer.inputPrice, offer.outputPrice) = (0, 0);
        signature = _signed(offer);
        _refused(alice, IEscrowJobs.ZeroPrice.selector);
        escrow.openSession(offer, signature, 1 ether, 100, address(0), 1);
    }

    function test_session__topped_up_or_closed_wrongly__is_refused() public {
        IEscrowSessions.Session memory session = _session(1 ether, address(0));
        _refused(alice, IEscrowBalances.ZeroAmount.selector);
        escrow.topUpSession(session, 0);
        _refused(eve, IEscrowJobs.NotRequester.selector);
        escrow.topUpSession(session, 1);
        vm.prank(alice);
        escrow.topUpSession(session, 1 ether);
        _refused(eve, IEscrowSessions.SessionNotOver.selector);
        escrow.closeSession(session);
        vm.expectPartialRevert(IEscrowSessions.WrongSessionState.selector);
        escrow.finishSession(session);
        vm.prank(node);
        escrow.closeSession(session);
        _refused(alice, IEscrowSessions.WrongSessionState.selector);
        escrow.topUpSession(session, 1);
        vm.expectPartialRevert(IEscrowSessions.SessionNotOver.selector);
        escrow.finishSession(session);
        vm.warp(block.timestamp + stage.terms().claimDelay);
        escrow.finishSession(session);
        _assertEq(escrow.balanceOf(alice), 1_000 ether - 0.01 ether, "all but the open fee");
    }

    function test_key__authorised_wrongly__is_refused() public {
        bytes32[] memory models = new bytes32[](17);
        address key = vm.addr(77);
        uint40 later = uint40(block.timestamp + 500);
        _refused(alice, IEscrowSessions.KeyNotAuthorised.selector);
        escrow.authoriseKey(address(0), 1, later, new bytes32[](0));
        _refused(alice, IEscrowSessions.KeyNotAuthorised.selector);
        escrow.authoriseKey(alice, 1, later, new bytes32[](0));
        _refused(alice, IEscrowSessions.KeyExpired.selector);
        escrow.authoriseKey(key, 1, uint40(block.timestamp), new bytes32[](0));
        _refused(alice, IEscrowSessions.TooManyModels.selector);
        escrow.authoriseKey(key, 1, later, models);
        _refused(alice, IEscrowSessions.KeyNotAuthorised.selector);
        escrow.revokeKey(key);
        models = new bytes32[](1);
        models[0] = bytes32(uint256(8));
        vm.prank(alice);
        escrow.authoriseKey(key, 1 ether, later, models);
        _refused(alice, IEscrowSessions.KeyExists.selector);
        escrow.authoriseKey(key, 1, later, models);
        _assertTrue(escrow.isModelAllowed(alice, key, models[0]), "its model");
        IEscrowJobs.Offer memory offer = _offer();
        _refuseSession(offer, key, 1, IEscrowSessions.ModelNotAllowed.selector);
        _refuseSession(offer, vm.addr(78), 1, IEscrowSessions.KeyNotAuthorised.selector);
        offer.model = models[0];
        _refuseSession(offer, key, 2 ether, IEscrowSessions.KeyCapTooLow.selector);
        vm.prank(alice);
        escrow.revokeKey(key);
        _refuseSession(offer, key, 1, IEscrowSessions.KeyCapTooLow.selector);
        vm.warp(later);
        _refuseSession(offer, key, 1, IEscrowSessions.KeyExpired.selector);
    }

    function test_key__revoked_long_before_its_end__ends_after_the_claim_delay() public {
        address key = stage.know(77);
        vm.prank(alice);
        escrow.authoriseKey(key, 5 ether, uint40(block.timestamp + 50_000), new bytes32[](0));
        IEscrowSessions.Session memory session = _session(1 ether, key);
        vm.prank(alice);
        escrow.revokeKey(key);
        _assertEq(escrow.keyRecord(alice, key).endsAt, block.timestamp + stage.terms().claimDelay, "ends");
        vm.prank(alice);
        escrow.closeSession(session);
        vm.warp(block.timestamp + stage.terms().claimDelay);
        escrow.finishSession(session);
        _assertEq(escrow.keyRecord(alice, key).used, 0, "what returned is unused");
    }

    function _refuseJob(IEscrowJobs.Offer memory offer, uint32 input, uint32 output, uint32 duration, bytes4 reason)
        private
    {
        bytes memory signature = _signed(offer);
        _refused(alice, reason);
        escrow.openJob(offer, signature, bytes32(uint256(1)), input, output, duration, 1);
    }

    function _refuseSession(IEscrowJobs.Offer memory offer, address key, uint96 cap, bytes4 reason) private {
        bytes memory signature = _signed(offer);
        _refused(alice, reason);
        escrow.openSession(offer, signature, cap, 100, key, 1);
    }
}
