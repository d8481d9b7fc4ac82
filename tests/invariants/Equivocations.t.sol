// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {SeatStage} from "./SeatStage.sol";

/// @title Contradictions of an oracle, and what is none
/// @dev R58.
contract EquivocationsTest is SeatStage {
    function test_equivocation__of_a_member__burns_its_stake_and_silences_it_for_every_set() external {
        _found(4);
        address liar = _sorted[0];
        uint16 setVersion = _committee.version();
        uint256 supply = _token.totalSupply();
        _prove(liar, setVersion, _decide(1, 1, 10), _decide(1, 1, 11));
        _assertEq(_token.balanceOf(REPORTER), STAKE / 10, "a tenth");
        _assertEq(supply - _token.totalSupply(), STAKE - STAKE / 10, "the rest is burned");
        _assertEq(_token.balanceOf(address(_committee)), 3 * uint256(STAKE), "the others' stakes");
        _assertTrue(!_committee.hasSeat(liar) && !_committee.isMember(setVersion + 1, liar), "ended");
        _assertTrue(_committee.isMember(setVersion, liar), "the old set stays as it was");
        _assertEq(_escrow.coverage(), _committee.cover(), "the escrow knows");
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.SignerNotMember.selector, liar, setVersion));
        _committee.requireQuorum(setVersion, DIGEST, _signatures(3));
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.SignerNotMember.selector, liar, setVersion));
        _committee.requireOneHonest(setVersion, DIGEST, _signatures(2));
        _refuse(
            abi.encodeWithSelector(IOracleCommittee.EquivocationProved.selector, liar),
            liar,
            setVersion,
            _decide(1, 1, 10),
            _decide(1, 1, 11)
        );
        vm.prank(liar);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.NothingToWithdraw.selector, liar));
        _committee.withdraw();
    }

    function test_equivocation__of_an_oracle_that_left__reaches_its_stake_until_it_withdraws() external {
        _found(4);
        _leave(_sorted[0]);
        _leave(_sorted[1]);
        vm.warp(block.timestamp + DELAY);
        vm.prank(_sorted[1]);
        _committee.withdraw();
        _prove(_sorted[0], 4, _decide(7, 2, 0), _decide(7, 1, 5));
        _assertEq(_token.balanceOf(REPORTER), STAKE / 10, "not withdrawn, so slashed");
        _prove(_sorted[1], 4, _decide(7, 2, 0), _decide(7, 1, 5));
        _assertEq(_token.balanceOf(REPORTER), STAKE / 10, "nothing left to take");
        _assertTrue(!_committee.hasSeat(_sorted[1]), "but it never comes back");
        _assertEq(_committee.version(), 6, "no set changed");
    }

    function test_equivocation__of_an_oracle_whose_seat_was_removed__reaches_its_stake() external {
        _found(4);
        _committee.removeSeat(_sorted[3]);
        _prove(_sorted[3], 4, _decide(7, 2, 0), _decide(7, 1, 5));
        _assertEq(_token.balanceOf(REPORTER), STAKE / 10, "slashed");
        _assertEq(_committee.version(), 5, "no further set");
    }

    function test_equivocation__that_is_none__is_refused() external {
        _found(4);
        address oracle = _sorted[2];
        bytes memory none = abi.encodeWithSelector(IOracleCommittee.NotEquivocation.selector, oracle, 1);
        _refuse(none, oracle, 4, _decide(1, 1, 10), _decide(1, 1, 10));
        _refuse(none, oracle, 4, _decide(1, 1, 10), _decide(2, 1, 10));
        _refuse(none, oracle, 4, _decide(2, 1, 10), _decide(1, 1, 10));
        _refuse(none, oracle, 4, new IEscrowBatches.Decision[](0), _decide(1, 1, 10));
        bytes memory outsider = abi.encodeWithSelector(IOracleCommittee.SignerNotMember.selector, _sorted[8], 4);
        _refuse(outsider, _sorted[8], 4, _decide(1, 1, 10), _decide(1, 1, 11));
        _refuse(
            abi.encodeWithSelector(IOracleCommittee.UnknownSetVersion.selector, 5),
            oracle,
            5,
            _decide(1, 1, 10),
            _decide(1, 1, 11)
        );
    }

    function test_equivocation__with_a_signature_of_another__is_refused() external {
        _found(4);
        IEscrowBatches.Decision[] memory one = _decide(1, 1, 10);
        IEscrowBatches.Decision[] memory other = _decide(1, 1, 11);
        bytes memory mine = _sign(_sorted[0], _escrow.settlementDigest(4, one));
        bytes memory theirs = _sign(_sorted[1], _escrow.settlementDigest(4, other));
        bytes memory refusal = abi.encodeWithSelector(IOracleCommittee.NotSignedBy.selector, _sorted[0], _sorted[1]);
        vm.expectRevert(refusal);
        _committee.proveEquivocation(_sorted[0], 4, 1, one, mine, other, theirs);
        vm.expectRevert(refusal);
        _committee.proveEquivocation(_sorted[0], 4, 1, other, theirs, one, mine);
    }

    function test_equivocation__of_one_list_that_contradicts_itself__is_proved_by_itself() external {
        _found(4);
        IEscrowBatches.Decision[] memory list = new IEscrowBatches.Decision[](3);
        list[0] = _decide(5, 1, 3)[0];
        list[1] = _decide(1, 1, 10)[0];
        list[2] = _decide(1, 1, 11)[0];
        _prove(_sorted[0], 4, list, list);
        _assertEq(_token.balanceOf(REPORTER), STAKE / 10, "slashed");
    }

    function test_equivocation__of_not_opened_and_a_later_outcome__needs_that_nothing_was_opened() external {
        _found(4);
        IEscrowBatches.Decision[] memory late = _decide(1, 3, 0);
        IEscrowBatches.Decision[] memory pass = _decide(1, 1, 10);
        _escrow.open(1);
        for (uint256 n; n < 2; ++n) {
            _refuse(
                abi.encodeWithSelector(IOracleCommittee.NotEquivocation.selector, _sorted[0], 1),
                _sorted[0],
                4,
                n == 0 ? late : pass,
                n == 0 ? pass : late
            );
        }
        _prove(_sorted[0], 4, pass, _decide(1, 2, 0));
        IEscrowBatches.Decision[] memory never = _decide(2, 3, 0);
        _prove(_sorted[1], 4, never, _decide(2, 1, 10));
        _assertEq(_token.balanceOf(REPORTER), STAKE / 5, "two of them");
    }

    function _decide(uint64 batchId, uint8 outcome, uint96 amount)
        private
        pure
        returns (IEscrowBatches.Decision[] memory list)
    {
        list = new IEscrowBatches.Decision[](1);
        list[0] = IEscrowBatches.Decision(batchId, bytes32("entries"), IEscrowBatches.Outcome(outcome), amount, 0);
    }

    function _prove(
        address oracle,
        uint16 setVersion,
        IEscrowBatches.Decision[] memory one,
        IEscrowBatches.Decision[] memory other
    ) private {
        bytes memory first = _sign(oracle, _escrow.settlementDigest(setVersion, one));
        bytes memory second = _sign(oracle, _escrow.settlementDigest(setVersion, other));
        uint64 batchId = one[one.length - 1].batchId;
        vm.prank(REPORTER);
        _committee.proveEquivocation(oracle, setVersion, batchId, one, first, other, second);
    }

    function _refuse(
        bytes memory refusal,
        address oracle,
        uint16 setVersion,
        IEscrowBatches.Decision[] memory one,
        IEscrowBatches.Decision[] memory other
    ) private {
        bytes memory first = _sign(oracle, _escrow.settlementDigest(setVersion, one));
        bytes memory second = _sign(oracle, _escrow.settlementDigest(setVersion, other));
        vm.expectRevert(refusal);
        _committee.proveEquivocation(oracle, setVersion, 1, one, first, other, second);
    }
}
