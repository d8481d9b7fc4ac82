// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title What a session moves, who may close it and when, and what a sub-key just about allows
contract SessionEdgesTest is EscrowScene {
    /// R38: the cap and the open fee, to the wei; everybody is told.
    function test_open__of_a_session__takes_cap_and_fee_and_says_so() public {
        IEscrowJobs.Offer memory offer = _offer();
        bytes32 digest = escrow.offerDigest(offer);
        uint96 largest = 1_000 * offer.inputPrice + 1_000 * offer.outputPrice;
        IEscrowSessions.Session memory session =
            IEscrowSessions.Session(alice, paul, digest, address(0), largest, uint40(block.timestamp), 7);
        bytes32 id = escrow.sessionIdOf(session);
        bytes memory signature = _signed(offer);
        uint256 free = escrow.balanceOf(alice);
        uint40 end = uint40(block.timestamp + 7_200);
        vm.prank(alice);
        vm.expectEmit(true, true, true, true);
        emit IEscrowSessions.SessionOpened(id, alice, paul, digest, address(0), largest, 7, 3 ether, end);
        escrow.openSession(offer, signature, 3 ether, 7_200, address(0), 7);
        _assertEq(escrow.balanceOf(alice), free - 3.01 ether, "cap and fee");
        _assertEq(escrow.feesToBurn(), 0.01 ether, "the fee waits to be burned");
        _assertEq(escrow.session(id).endsAt, end, "the longest session");
        _assertEq(escrow.session(id).cap, 3 ether, "cap");
    }

    /// R41: what is topped up is reserved too, and what no voucher claims returns.
    function test_session__topped_up_and_finished__returns_what_is_left() public {
        uint256 free = escrow.balanceOf(alice);
        IEscrowSessions.Session memory session = _session(2 ether, address(0));
        vm.prank(alice);
        escrow.topUpSession(session, 1 ether);
        _assertEq(escrow.session(escrow.sessionIdOf(session)).cap, 3 ether, "cap");
        _assertEq(escrow.balanceOf(alice), free - 3.01 ether, "paid");
        IEscrowSessions.Voucher[] memory list = _voucher(session, 1.25 ether, 1);
        vm.prank(node);
        escrow.commitBatch(_noLines(), list, _noClaims());
        vm.prank(alice);
        escrow.closeSession(session);
        vm.warp(block.timestamp + stage.terms().claimDelay);
        escrow.finishSession(session);
        _assertEq(escrow.balanceOf(alice), free - 1.26 ether, "all but the voucher and the fee");
        _assertEq(escrow.exposure(), 1.25 ether, "the voucher");
    }

    /// R39: either party at any time, anybody from the end on; vouchers for the claim delay more.
    function test_close__by_each_party_or_at_the_end__starts_the_claim_delay() public {
        uint256 delay = stage.terms().claimDelay;
        address[4] memory who = [alice, paul, node, eve];
        for (uint256 i; i < 4; ++i) {
            IEscrowSessions.Session memory session = _session(1 ether, address(0));
            bytes32 id = escrow.sessionIdOf(session);
            if (i == 3) vm.warp(block.timestamp + 1_000);
            vm.prank(who[i]);
            escrow.closeSession(session);
            _assertTrue(escrow.session(id).state == IEscrowSessions.SessionState.CLOSING, "closing");
            _assertEq(escrow.session(id).endsAt, block.timestamp + delay, "claims end");
        }
    }

    /// R40: a voucher may claim the whole cap, until the last second.
    function test_voucher__of_the_whole_cap_in_the_last_second__is_committed() public {
        IEscrowSessions.Session memory session = _session(2 ether, address(0));
        vm.prank(alice);
        escrow.closeSession(session);
        vm.warp(block.timestamp + stage.terms().claimDelay - 1);
        IEscrowSessions.Voucher[] memory list = _voucher(session, 2 ether, 1);
        vm.prank(node);
        escrow.commitBatch(_noLines(), list, _noClaims());
        _assertEq(escrow.session(escrow.sessionIdOf(session)).committed, 2 ether, "committed");
    }

    /// R41: nothing is paid twice.
    function test_voucher__committed_again__is_refused() public {
        IEscrowSessions.Session memory session = _session(2 ether, address(0));
        IEscrowSessions.Voucher[] memory list = _voucher(session, 1 ether, 1);
        vm.prank(node);
        escrow.commitBatch(_noLines(), list, _noClaims());
        _refused(node, IEscrowSessions.VoucherAddsNothing.selector);
        escrow.commitBatch(_noLines(), list, _noClaims());
    }

    /// R44: a key's whole amount, sixteen models, and the last second of both.
    function test_key__used_to_its_last_wei__allows_no_more() public {
        address key = stage.know(77);
        bytes32[] memory models = new bytes32[](16);
        models[15] = _offer().model;
        uint40 end = uint40(block.timestamp + 500);
        vm.prank(alice);
        escrow.authoriseKey(key, 3 ether, end, models);
        IEscrowSessions.Session memory session = _session(2 ether, key);
        vm.warp(end - 1);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IEscrowSessions.KeyCapTooLow.selector, alice, key, 1 ether, 1 ether + 1));
        escrow.topUpSession(session, 1 ether + 1);
        vm.prank(alice);
        escrow.topUpSession(session, 1 ether);
        _assertEq(escrow.keyRecord(alice, key).used, 3 ether, "all of it");
        _refused(alice, IEscrowSessions.KeyCapTooLow.selector);
        escrow.topUpSession(session, 1);
        IEscrowSessions.Voucher[] memory list = _voucher(session, 1 ether, 77);
        vm.prank(node);
        escrow.commitBatch(_noLines(), list, _noClaims());
        vm.prank(alice);
        escrow.closeSession(session);
        vm.warp(block.timestamp + stage.terms().claimDelay);
        escrow.finishSession(session);
        _assertEq(escrow.keyRecord(alice, key).used, 1 ether, "what returned is unused");
    }

    /// R44: a key that ends before the claim delay would ends no later for being revoked.
    function test_key__revoked_shortly_before_its_end__keeps_it() public {
        address key = vm.addr(77);
        uint40 end = uint40(block.timestamp + 500);
        vm.prank(alice);
        escrow.authoriseKey(key, 3 ether, end, new bytes32[](0));
        _assertTrue(escrow.isModelAllowed(alice, key, bytes32(uint256(9))), "every model");
        vm.prank(alice);
        escrow.revokeKey(key);
        _assertEq(escrow.keyRecord(alice, key).endsAt, end, "its own end");
        _assertEq(escrow.keyRecord(alice, key).cap, 0, "opens nothing");
        _refused(alice, IEscrowSessions.KeyExists.selector);
        escrow.authoriseKey(key, 3 ether, end, new bytes32[](0));
    }

    /// R38: the dearest call that an amount can express is kept to the wei.
    function test_session__of_a_call_at_the_largest_amount__opens() public {
        IEscrowTerms.Parameters memory terms = stage.terms();
        (terms.slashBps, terms.challengerBps, terms.detectionBps) = (10_000, 0, 9_999);
        vm.prank(timelock);
        escrow.setTerms(terms);
        stage.endow(paul, 3, 20_000_000 ether);
        IStaking staking = IStaking(address(stage.staking()));
        vm.prank(paul);
        staking.stake(19_000_000 ether);
        IEscrowJobs.Offer memory offer = _offer();
        (offer.inputPrice, offer.maxInputTokens) = (type(uint96).max, 1);
        (offer.outputPrice, offer.maxOutputTokens) = (0, 1);
        bytes memory signature = _signed(offer);
        vm.prank(alice);
        bytes32 id = escrow.openSession(offer, signature, 1 ether, 100, address(0), 1);
        _assertTrue(escrow.session(id).state == IEscrowSessions.SessionState.OPEN, "open");
    }
}
