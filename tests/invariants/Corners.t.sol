// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {Intake} from "../../contracts/libraries/Intake.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title What hardly ever happens, and still has one right answer
contract CornersTest is EscrowScene {
    function test_withdraw__of_everything__pays_it() public {
        IMallaToken token = IMallaToken(address(stage.token()));
        uint256 wallet = token.balanceOf(alice);
        vm.prank(alice);
        escrow.withdraw(1_000 ether);
        _assertEq(token.balanceOf(alice), wallet + 1_000 ether, "wallet");
        _assertEq(escrow.balanceOf(alice), 0, "free balance");
    }

    function test_deposit__that_does_not_arrive__is_refused() public {
        address token = address(stage.token());
        vm.mockCall(token, abi.encodeWithSignature("balanceOf(address)", address(escrow)), abi.encode(5));
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(Intake.ReceivedOtherAmount.selector, 0, 7));
        escrow.deposit(7);
    }

    function test_head__given_back__is_what_the_batch_stores() public {
        uint64 id = _committed();
        bytes32 digest = escrow.headDigest(id, book.headOf(id));
        _assertEq(escrow.batch(id).digest, bytes32(uint256(digest) & ~uint256(0xff)), "digest");
    }

    /// @notice A call dearer than any amount of the token: deterred by a very large stake, and refused all the same.
    function test_session__of_a_call_beyond_every_amount__is_refused() public {
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
        (offer.outputPrice, offer.maxOutputTokens) = (1, 1);
        bytes memory signature = _signed(offer);
        _refused(alice, IEscrowJobs.OutstandingTooHigh.selector);
        escrow.openSession(offer, signature, 1 ether, 100, address(0), 1);
    }
}
