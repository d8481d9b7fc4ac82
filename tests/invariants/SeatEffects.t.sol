// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {OracleCommittee} from "../../contracts/OracleCommittee.sol";
import {IGoverned} from "../../contracts/interfaces/IGoverned.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {SeatStage} from "./SeatStage.sol";

/// @title Quorums, turns, cover and seats of committees of every size
/// @dev R15, R56, R57, R59.
contract SeatEffectsTest is SeatStage {
    function test_quorum__of_each_size__carries_with_q_and_never_with_one_less() external {
        uint256[9] memory sizes = [uint256(1), 3, 4, 5, 7, 10, 13, 16, 31];
        uint256[9] memory quorums = [uint256(1), 2, 3, 4, 5, 7, 9, 11, 21];
        for (uint256 n; n < sizes.length; ++n) {
            _found(sizes[n]);
            uint16 current = _committee.version();
            _assertEq(_committee.quorum(current), quorums[n], "q");
            _assertEq(_committee.faults(current), (sizes[n] - 1) / 3, "f");
            _committee.requireQuorum(current, DIGEST, _signatures(quorums[n]));
            vm.expectRevert(
                abi.encodeWithSelector(IOracleCommittee.TooFewSignatures.selector, quorums[n] - 1, quorums[n])
            );
            _committee.requireQuorum(current, DIGEST, _signatures(quorums[n] - 1));
            _committee.requireOneHonest(current, DIGEST, _signatures((sizes[n] - 1) / 3 + 1));
            _assertEq(_committee.cover(), quorums[n] * STAKE / 2, "cover");
            _assertEq(_escrow.coverage(), _committee.cover(), "the escrow knows");
            _assertEq(_escrow.refreshed(), sizes[n], "told at each join");
        }
    }

    function test_proposer__of_any_set_and_block__is_the_member_whose_turn_it_is() external {
        _found(7);
        _leave(_sorted[2]);
        _leave(_sorted[0]);
        for (uint256 height = 1_000; height < 1_200; height += 3) {
            vm.roll(height);
            _assertEq(_committee.proposer(0), address(0), "nobody's turn");
            for (uint16 set = 1; set <= _committee.version(); ++set) {
                address[] memory list = _committee.members(set);
                _assertEq(_committee.proposer(set), list[(height / 4 + set) % list.length], "turn");
            }
        }
    }

    function test_cover__of_members_with_different_stakes__counts_the_smallest() external {
        _found(4);
        _committee.setSeatStake(STAKE * 2);
        _join(_sorted[4], STAKE * 2);
        _assertEq(_escrow.coverage(), 4 * uint256(STAKE) / 2, "the old stakes bind");
        for (uint256 i; i < 4; ++i) {
            _leave(_sorted[i]);
        }
        _assertEq(_escrow.coverage(), 2 * uint256(STAKE) / 2, "the last one's stake");
        _leave(_sorted[4]);
        _assertEq(_escrow.coverage(), 0, "nobody, nothing");
        _assertEq(_committee.cover(), 0, "nobody, nothing");
    }

    function testFuzz_seat_accounts__of_any_bitmap__are_those_of_its_bits(uint32 bitmap) external {
        _found(11);
        address[] memory list = _committee.seatAccounts(bitmap);
        uint256 found;
        for (uint256 i; i < 11; ++i) {
            if (bitmap & (uint32(1) << i) != 0) _assertEq(list[found++], _sorted[i], "in the order of the seats");
        }
        _assertEq(list.length, found, "unknown bits are left out");
    }

    function test_seats__up_to_thirty_two__are_all_named_and_the_next_is_refused() external {
        _found(31);
        vm.prank(REPORTER);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.OnlyGovernor.selector, REPORTER));
        _committee.addSeat(_sorted[31]);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.NoSeat.selector, address(0)));
        _committee.addSeat(address(0));
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.DuplicateSeat.selector, _sorted[3]));
        _committee.addSeat(_sorted[3]);
        _join(_sorted[31], STAKE);
        _assertEq(_committee.seatAccounts(type(uint32).max).length, 32, "all of them");
        _assertEq(_committee.members(_committee.version()).length, 32, "all of them");
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.SeatsOutOfBounds.selector, 33, 32));
        _committee.addSeat(_sorted[32]);
    }

    function test_remove_seat__of_a_member__ends_it_for_good_and_releases_the_stake_later() external {
        _found(4);
        address gone = _sorted[1];
        uint16 before = _committee.version();
        _committee.removeSeat(gone);
        _assertTrue(!_committee.hasSeat(gone), "no seat");
        _assertTrue(_committee.isMember(before, gone) && !_committee.isMember(before + 1, gone), "left the set");
        _committee.requireQuorum(before, DIGEST, _signatures(3));
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.NoSeat.selector, gone));
        _committee.removeSeat(gone);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.DuplicateSeat.selector, gone));
        _committee.addSeat(gone);
        uint256 release = block.timestamp + DELAY;
        vm.prank(gone);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.StillReleasing.selector, gone, release));
        _committee.withdraw();
        vm.warp(block.timestamp + DELAY);
        vm.prank(gone);
        _assertEq(_committee.withdraw(), STAKE, "paid");
        vm.prank(gone);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.NoSeat.selector, gone));
        _committee.join("u", DIGEST, DIGEST);
    }

    function test_remove_seat__that_nobody_took__makes_no_new_set() external {
        _found(4);
        _committee.addSeat(_sorted[9]);
        uint256 told = _escrow.refreshed();
        _committee.removeSeat(_sorted[9]);
        _assertEq(_committee.version(), 4, "the same set");
        _assertEq(_escrow.refreshed(), told, "nothing to tell");
    }

    function test_stake_delay__below_the_longest_way_and_the_ruling__is_refused() external {
        _found(1);
        _committee.setStakeDelay(6_000);
        _committee.setStakeDelay(90 days);
        for (uint256 n; n < 2; ++n) {
            uint32 delay = n == 0 ? 5_999 : 90 days + 1;
            vm.expectRevert(
                abi.encodeWithSelector(IGoverned.ParameterOutOfBounds.selector, "stakeDelay", delay, 6_000, 90 days)
            );
            _committee.setStakeDelay(delay);
        }
    }

    function test_join__when_leaving_could_lack_a_version__is_refused() external {
        _found(4);
        // The version lies in the lowest bits of the first slot.
        bytes32 slot = vm.load(address(_committee), 0);
        vm.store(address(_committee), 0, bytes32((uint256(slot) >> 16 << 16) | (type(uint16).max - 32)));
        _committee.addSeat(_sorted[5]);
        vm.prank(_sorted[5]);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.VersionsExhausted.selector, type(uint16).max - 32));
        _committee.join("u", DIGEST, DIGEST);
    }
}
