// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {CourtStage} from "./CourtStage.sol";

/// @title What each ruling moves, wherever the batch stands when it is given and however it ends
contract CourtEffectsTest is CourtStage {
    /// @dev Where a batch can stand.
    enum At {
        PENDING,
        FROZEN,
        PASSED,
        FORFEITED,
        UNDELIVERED,
        DELIVERED
    }

    function _move(uint64 id, At to, uint16 index) private {
        uint256 bit = 1 << index;
        if (to == At.FROZEN) freeze(id);
        else if (to == At.PASSED) pass(id);
        else if (to == At.FORFEITED) escrow.forfeit(id, PROVIDER);
        else if (to == At.UNDELIVERED) escrow.mature(id, IEscrowBatches.Outcome.DEFAULT, 7 ^ bit);
        else if (to == At.DELIVERED) escrow.mature(id, IEscrowBatches.Outcome.DEFAULT, bit);
    }

    function test_appeal__in_each_end__moves_its_bond_once() public {
        for (uint256 how = 1; how <= 3; ++how) {
            uint64 id = commit(50 ether);
            freeze(id);
            uint256 wallet = token.balanceOf(PROVIDER);
            uint256 supply = token.totalSupply();
            uint64 caseId = appeal(id, PROVIDER);
            uint256 deadline = block.timestamp + WINDOW;
            _assertEq(token.balanceOf(address(court)), APPEAL_BOND, "held");
            _assertEq(escrow.freezeOf(id).until, deadline, "freeze");
            if (how == 3) {
                vm.warp(deadline);
                court.closeByDefault(caseId);
                _assertEq(escrow.freezeOf(id).until, deadline, "the freeze ends by itself");
            } else {
                rule(caseId, IDisputeCourt.Ruling(how));
            }
            bool isLost = how == uint256(REJECTED);
            _assertEq(token.balanceOf(PROVIDER), isLost ? wallet - APPEAL_BOND : wallet, "wallet");
            _assertEq(token.totalSupply(), isLost ? supply - APPEAL_BOND : supply, "burned");
            _assertEq(token.balanceOf(address(court)), 0, "nothing stays");
            if (isLost) _assertEq(escrow.freezeOf(id).until, block.timestamp, "it can be forfeited now");
            bool isPaid = escrow.batch(id).state == IEscrowBatches.BatchState.MATURED;
            _assertTrue(isPaid == (how == uint256(UPHELD)), "paid if upheld");
            vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotUpheld.selector, caseId, how == 3 ? 4 : how));
            court.compensate(caseId);
            if (!isPaid) escrow.forfeit(id, PROVIDER);
        }
    }

    /// @dev Each ruling, in each state, with each end of a batch that had not ended, on each kind of entry.
    function test_dispute__in_each_combination__takes_what_was_lost_and_no_more(
        uint256 ruling_,
        uint256 start_,
        uint256 end_,
        uint16 index,
        uint96 amount
    ) public {
        IDisputeCourt.Ruling ruling = IDisputeCourt.Ruling(_bound(ruling_, 1, 4));
        At start = At(_bound(start_, 0, 5));
        At end = start > At.FROZEN ? start : At(_bound(end_, 2, 5));
        if (start == At.FROZEN) end = At.FORFEITED;
        index %= 3;
        amount = uint96(_bound(amount, 1, STAKE / 3));
        address who = index == 1 ? BOB : ALICE;
        uint64 id = commit(amount);
        uint256[3] memory before = [token.balanceOf(who), token.balanceOf(PROVIDER), token.totalSupply()];
        uint64 caseId = dispute(id, index, who);
        _assertEq(token.balanceOf(address(court)), BOND, "bond in");
        _move(id, start, index);
        if (ruling == IDisputeCourt.Ruling.DEFAULT) {
            vm.warp(block.timestamp + WINDOW);
            court.closeByDefault(caseId);
        } else {
            rule(caseId, ruling);
        }
        bool isLost = ruling == REJECTED;
        bool isWon = ruling == UPHELD || ruling == CONVICTED;
        _assertEq(token.balanceOf(address(court)), 0, "bond out");
        _assertEq(token.balanceOf(who), isLost ? before[0] - BOND : before[0], "plaintiff");
        _assertEq(token.balanceOf(PROVIDER), isLost ? before[1] + BOND / 2 : before[1], "provider");
        if (start != end && isWon) {
            uint256 state = uint256(start) + 1;
            vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.BatchNotOver.selector, id, state));
            court.compensate(caseId);
        }
        if (start != end) _move(id, end, index);

        bool isPaid = end == At.PASSED || end == At.DELIVERED || (end == At.UNDELIVERED && index == 2);
        if (!isWon) {
            vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotUpheld.selector, caseId, ruling));
        } else if (!isPaid) {
            vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadyReturned.selector, id, index));
        } else if (start == end) {
            vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.CompensatedAlready.selector, caseId));
        }
        court.compensate(caseId);
        uint256 penalty = amount < BOND ? amount : BOND;
        if (!isWon || !isPaid) penalty = 0;
        _assertEq(staking.awardOf(who), penalty == 0 ? 0 : amount + penalty / 2, "award");
        _assertEq(staking.own(PROVIDER), STAKE - (penalty == 0 ? 0 : amount + penalty), "stake");
        uint256 burned = isLost ? BOND - BOND / 2 : penalty - penalty / 2;
        _assertEq(token.totalSupply(), before[2] - burned, "burned");
        _assertEq(staking.awardOf(address(court)) + token.balanceOf(address(court)), 0, "nothing stays");
        _assertTrue(isCompensated(caseId) == (penalty != 0), "compensated");
    }

    function test_dispute__after_a_default__is_a_new_case() public {
        IDisputeCourt.Terms memory its = terms();
        its.rulingWindow = 1 days;
        vm.prank(GOVERNOR);
        court.setTerms(its);
        uint64 id = commit(50 ether);
        uint64 first = dispute(id, 0, ALICE);
        vm.warp(block.timestamp + 1 days);
        court.closeByDefault(first);
        uint64 second = dispute(id, 0, ALICE);
        _assertEq(court.disputeOf(id, 0), second, "the last one");
        _assertEq(token.balanceOf(address(court)), BOND, "one bond");
    }

    function test_compensate__while_the_provider_is_frozen__waits() public {
        uint64 id = commit(50 ether);
        uint64 other = commit(50 ether);
        uint64 caseId = dispute(id, 0, ALICE);
        pass(id);
        freeze(other);
        rule(caseId, CONVICTED);
        _assertEq(staking.awardOf(ALICE), 0, "waits");
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.ProviderInFreeze.selector, PROVIDER, other));
        court.compensate(caseId);
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.ProviderInFreeze.selector, PROVIDER, other));
        court.convict(caseId, heads[id]);
        escrow.forfeit(other, PROVIDER);
        court.compensate(caseId);
        _assertEq(staking.awardOf(ALICE), 75 ether, "award");
        vm.expectRevert(abi.encodeWithSelector(IDisputeCourt.ConvictedSince.selector, PROVIDER, other));
        court.convict(caseId, heads[id]);
    }

    function test_compensate__with_too_little_stake__serves_the_requester_first() public {
        uint64 id = commit(STAKE - 70 ether);
        uint64 caseId = dispute(id, 0, ALICE);
        pass(id);
        uint256 supply = token.totalSupply();
        rule(caseId, UPHELD);
        _assertEq(staking.awardOf(ALICE), STAKE - 70 ether + BOND / 2, "whole");
        _assertEq(supply - token.totalSupply(), 70 ether - BOND / 2, "the rest");
        uint64 empty = dispute(id, 1, BOB);
        rule(empty, UPHELD);
        _assertTrue(isCompensated(empty), "once, whatever was there");
        _assertEq(staking.awardOf(BOB), 0, "nothing was");
    }

    function test_convict__after_maturity__compensates_first_and_caps_the_share() public {
        uint64 id = commit(50 ether);
        uint64 caseId = dispute(id, 0, ALICE);
        rule(caseId, CONVICTED);
        pass(id);
        court.convict(caseId, heads[id]);
        _assertEq(staking.own(PROVIDER), (STAKE - 100 ether) / 2, "slashed what was left");
        _assertEq(staking.awardOf(ALICE), 75 ether + 3 * BOND, "share of three bonds");
        uint64 second = dispute(id, 1, BOB);
        rule(second, UPHELD);
        _assertEq(staking.awardOf(BOB), 75 ether, "after the slash");
    }

    function test_convict__of_a_compensated_case__pays_no_second_time() public {
        uint64 id = commit(50 ether);
        pass(id);
        uint64 caseId = dispute(id, 0, ALICE);
        rule(caseId, CONVICTED);
        _assertEq(staking.awardOf(ALICE), 75 ether, "compensated with the ruling");
        court.convict(caseId, heads[id]);
        _assertEq(staking.awardOf(ALICE), 75 ether + 3 * BOND, "and only the share with the conviction");
    }

    function test_convict__called_back_by_a_token__convicts_once() public {
        uint64 id = commit(50 ether);
        uint64 caseId = dispute(id, 0, ALICE);
        rule(caseId, CONVICTED);
        pass(id);
        token.callAtTransfer(address(court), abi.encodeCall(court.convict, (caseId, heads[id])));
        court.convict(caseId, heads[id]);
        _assertTrue(token.hasCalled() && !token.hasSucceeded(), "the call back was refused");
        _assertEq(escrow.convictions(), 1, "one conviction");
    }

    function test_rule__called_back_by_a_token__moves_the_bond_once() public {
        uint64 id = commit(50 ether);
        uint64 caseId = dispute(id, 0, ALICE);
        pass(id);
        bytes[] memory signatures = sign(caseId, UPHELD);
        bytes memory again = abi.encodeCall(court.rule, (caseId, UPHELD, heads[id], lists[id], signatures));
        token.mint(address(court), BOND);
        token.callAtTransfer(address(court), again);
        ruleBy(caseId, UPHELD, signatures);
        _assertTrue(token.hasCalled() && !token.hasSucceeded(), "the call back was refused");
        _assertEq(token.balanceOf(address(court)), BOND, "what was given stays");
    }
}
