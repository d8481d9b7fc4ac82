// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {Staking} from "../../contracts/Staking.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {JobMath} from "../../contracts/libraries/JobMath.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title Jobs that an offer just about covers, and what opening, declining and cancelling one moves
contract JobEdgesTest is EscrowScene {
    /// R6: the price and the open fee, to the wei; everybody is told.
    function test_open__of_a_job__takes_price_and_fee_and_says_so() public {
        IEscrowJobs.Offer memory offer = _offer();
        IEscrowJobs.Job memory job = _job(offer);
        bytes memory signature = _signed(offer);
        uint256 free = escrow.balanceOf(alice);
        bytes32 id = escrow.jobIdOf(job);
        bytes32 digest = escrow.offerDigest(offer);
        vm.prank(alice);
        vm.expectEmit(true, true, true, true);
        emit IEscrowJobs.JobOpened(
            id, alice, paul, digest, job.specDigest, 100, 200, job.price, job.nonce, uint40(block.timestamp + 1_000)
        );
        escrow.openJob(offer, signature, job.specDigest, 100, 200, 1_000, job.nonce);
        _assertEq(escrow.balanceOf(alice), free - job.price - 0.01 ether, "price and fee");
        _assertEq(escrow.feesToBurn(), 0.01 ether, "the fee waits to be burned");
        _assertEq(escrow.exposure(), job.price, "exposed");
        _assertEq(escrow.job(id).deadline, block.timestamp + 1_000, "deadline");
    }

    /// R10: the whole price returns, until the start window is over.
    function test_decline__in_the_last_second__returns_the_price() public {
        uint256 free = escrow.balanceOf(alice);
        IEscrowJobs.Job memory job = _open();
        vm.warp(block.timestamp + stage.terms().startWindow - 1);
        vm.prank(paul);
        escrow.declineJob(job);
        IEscrowJobs.JobRecord memory record = escrow.job(escrow.jobIdOf(job));
        _assertTrue(record.state == IEscrowJobs.JobState.REFUNDED, "refunded");
        _assertTrue(record.reason == IEscrowJobs.RefundReason.DECLINED, "declined");
        _assertEq(escrow.balanceOf(alice), free - 0.01 ether, "all but the open fee");
        _assertEq(escrow.providerRecord(paul).reserved, 0, "nothing is reserved");
        _assertEq(escrow.exposure(), 0, "nothing is exposed");
    }

    /// R11: the deadline moves to the cancel delay from now, and to no later one.
    function test_cancel__of_a_job__moves_its_deadline() public {
        IEscrowJobs.Job memory job = _open();
        uint40 end = uint40(block.timestamp + 1_000);
        vm.prank(alice);
        escrow.cancelJob(job);
        _assertEq(escrow.job(escrow.jobIdOf(job)).deadline, block.timestamp + 70, "from now");
        job = _open();
        vm.warp(end - 70);
        _refused(alice, IEscrowJobs.CancelChangesNothing.selector);
        escrow.cancelJob(job);
        vm.warp(end - 71);
        vm.prank(alice);
        escrow.cancelJob(job);
        _assertEq(escrow.job(escrow.jobIdOf(job)).deadline, end - 1, "a second earlier");
    }

    /// R49: jobs may expose half of what is covered, to the wei.
    function test_open__up_to_half_of_what_is_covered__is_taken() public {
        uint96 half = uint96(escrow.coverage() / 2);
        IEscrowJobs.Offer memory offer = _offer();
        offer.maxOutstanding = half;
        (offer.inputPrice, offer.outputPrice) = (half / 4, 0);
        _take(offer, 1, 1, 1_000);
        _take(offer, 1, 1, 1_000);
        _take(offer, 1, 1, 1_000);
        (offer.inputPrice, offer.outputPrice) = (half - 3 * (half / 4), 1);
        offer.maxOutstanding += 1;
        bytes memory signature = _signed(offer);
        _refused(alice, IEscrowTerms.ValueAtRisk.selector);
        escrow.openJob(offer, signature, bytes32(uint256(1)), 1, 1, 1_000, 99);
        (offer.outputPrice, offer.maxOutstanding) = (0, half);
        _take(offer, 1, 1, 1_000);
        _assertEq(escrow.exposure(), half, "half of it, which is all that the offer allows");
    }

    /// R7: all that the offer allows, and no more than that.
    function test_open__at_the_ends_of_an_offer__is_taken() public {
        IEscrowJobs.Offer memory offer = _offer();
        (offer.maxInputTokens, offer.maxOutputTokens) = (100, 200);
        _take(offer, 100, 200, offer.minDuration);
        _take(offer, 1, 1, stage.terms().maxDuration);
    }

    /// R7: what is revoked is revoked below a number, which itself stays.
    function test_open__of_the_first_offer_that_is_not_revoked__is_taken() public {
        vm.prank(paul);
        escrow.revokeOffers(3);
        IEscrowJobs.Offer memory offer = _offer();
        offer.nonce = 3;
        _take(offer, 100, 200, 1_000);
    }

    /// R9: the stake that just deters, and not a wei less.
    function test_open__with_just_enough_stake__is_taken() public {
        IEscrowJobs.Offer memory offer = _offer();
        IEscrowTerms.Parameters memory terms = stage.terms();
        uint256 price = _job(offer).price;
        uint256 needed = JobMath.neededStake(price, terms.slashBps, terms.challengerBps, terms.detectionBps);
        uint96 spare = uint96(2_000 ether - needed);
        Staking staking = stage.staking();
        vm.prank(paul);
        staking.unstake(spare);
        _take(offer, 100, 200, 1_000);
        vm.prank(paul);
        staking.unstake(1);
        bytes memory signature = _signed(offer);
        _refused(alice, IEscrowJobs.StakeDoesNotDeter.selector);
        escrow.openJob(offer, signature, bytes32(uint256(1)), 100, 200, 1_000, 99);
    }

    function _take(IEscrowJobs.Offer memory offer, uint32 input, uint32 output, uint32 duration) private {
        bytes memory signature = _signed(offer);
        uint64 nonce = _job(offer).nonce;
        vm.prank(alice);
        bytes32 id = escrow.openJob(offer, signature, bytes32(uint256(1)), input, output, duration, nonce);
        _assertEq(escrow.job(id).deadline, block.timestamp + duration, "opened");
    }
}
