// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IGoverned} from "../../contracts/interfaces/IGoverned.sol";
import {IGuarded} from "../../contracts/interfaces/IGuarded.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {StakeStage} from "./StakeStage.sol";

/// @title What each function of Staking does when it is not refused
contract StakeEffectsTest is StakeStage {
    address private provider;
    address private delegator;
    address private stranger;

    function setUp() public {
        deployStage();
        provider = providers[0];
        delegator = delegators[0];
        stranger = delegators[2];
        vm.prank(provider);
        staking.stake(100 ether);
        vm.prank(delegator);
        staking.delegate(provider, 10 ether);
    }

    /// R25: the old key's period ends, and the new one speaks.
    function test_rotate__to_a_fresh_key__moves_the_voice() public {
        vm.startPrank(provider);
        staking.setMetadata(bytes32(uint256(3)));
        staking.rotateNodeKey(vm.addr(77), bytes32(uint256(2)), consent(provider, 77));
        vm.stopPrank();
        (address speaker, uint96 active) = staking.speakerOf(vm.addr(77));
        _assertEq(speaker, provider, "speaker");
        _assertEq(active, 100 ether, "its stake");
        (speaker, active) = staking.speakerOf(vm.addr(1001));
        _assertEq(speaker, address(0), "the old key speaks for nobody");
        _assertEq(active, 0, "and counts for nothing");
        _assertEq(staking.keyPeriod(vm.addr(1001)).until, block.timestamp, "its period is over");
        _assertEq(staking.providerOf(vm.addr(77)), provider, "provider of the key");
        _assertEq(staking.nodeKeyOf(provider), vm.addr(77), "key");
        IStaking.Provider memory record = staking.provider(provider);
        _assertEq(record.metadataDigest, bytes32(uint256(3)), "metadata");
        _assertEq(record.encryptionKey, bytes32(uint256(2)), "seal");
        (address nodeKey, uint96 standing) = staking.standingOf(provider);
        _assertEq(nodeKey, vm.addr(77), "standing key");
        _assertEq(standing, 100 ether, "standing stake");
    }

    /// R50: own parts, delegated parts, award, burn.
    function test_slash__with_a_challenger__awards_it_and_condemns_the_rest() public {
        _assertEq(staking.slash(provider, 2_500, stranger, 5_000, 10 ether), 25 ether, "slashed");
        _assertEq(staking.awardOf(stranger), 10 ether, "capped");
        _assertEq(staking.condemned(), 15 ether + 2.5 ether, "condemned");
        uint256 supply = token.totalSupply();
        staking.burnCondemned();
        _assertEq(supply - token.totalSupply(), 17.5 ether, "burned");
        _assertEq(staking.condemned(), 0, "once");
        uint256 wallet = token.balanceOf(stranger);
        vm.prank(stranger);
        _assertEq(staking.claimAward(), 10 ether, "award");
        _assertEq(token.balanceOf(stranger) - wallet, 10 ether, "paid");
        _assertEq(staking.awardOf(stranger), 0, "once");
    }

    function test_seize__of_more_than_there_is__takes_active_then_unstaking() public {
        vm.prank(provider);
        staking.unstake(40 ether);
        _assertEq(staking.seize(provider, 50 ether, stranger), 50 ether, "first");
        _assertEq(staking.activeStake(provider), 10 ether, "active first");
        _assertEq(staking.seize(provider, 20 ether, stranger), 20 ether, "second");
        _assertEq(staking.activeStake(provider), 0, "all of the active");
        _assertEq(staking.slashableStake(provider), 30 ether, "and a part of the unstaking");
        _assertEq(staking.seize(provider, 100 ether, stranger), 30 ether, "the rest");
        _assertEq(staking.seize(provider, 100 ether, stranger), 0, "nothing is left");
        _assertEq(staking.awardOf(stranger), 100 ether, "all for the beneficiary");
    }

    /// R55: a pause stops what begins, and nothing that ends.
    function test_pause__of_the_guardian__stops_entries_only() public {
        address guardian = address(77);
        staking.setGuardian(guardian);
        uint40 until = uint40(block.timestamp + 7 days);
        bytes memory long = abi.encodeWithSelector(IGuarded.PauseTooLong.selector, until + 1, until);
        refuses(guardian, abi.encodeCall(staking.pause, (until + 1)), long);
        vm.prank(guardian);
        staking.pause(until);
        bytes memory paused = abi.encodeWithSelector(IGuarded.Paused.selector, until);
        refuses(provider, abi.encodeCall(staking.stake, (1)), paused);
        refuses(provider, abi.encodeCall(staking.stakeWithPermit, (1, 0, 0, 0, 0)), paused);
        refuses(delegator, abi.encodeCall(staking.delegate, (provider, 1 ether)), paused);
        vm.startPrank(provider);
        staking.unstake(1 ether);
        staking.setCommission(0);
        vm.stopPrank();
        vm.prank(delegator);
        staking.undelegate(provider, 1e24);
        staking.slash(provider, 1, stranger, 10_000, 1 ether);
        staking.burnCondemned();
        vm.prank(stranger);
        staking.claimAward();
        vm.warp(until);
        vm.prank(provider);
        staking.stake(1);
        staking.pause(until + 1 days);
        vm.warp(block.timestamp + DELAY);
        staking.pause(uint40(block.timestamp + 1 days));
        vm.prank(provider);
        staking.withdraw();
        vm.prank(delegator);
        staking.withdrawDelegation(provider);
        enrolSilently(60);
    }

    /// R54: delegators can leave before a higher commission counts.
    function test_commission__raised_and_lowered__counts_later_and_at_once() public {
        _commission(1_000);
        vm.prank(provider);
        staking.setCommission(2_000);
        _commission(1_000);
        vm.warp(block.timestamp + DELAY - 1);
        _commission(1_000);
        vm.warp(block.timestamp + 1);
        _commission(2_000);
        vm.prank(provider);
        staking.setCommission(3_000);
        vm.prank(provider);
        staking.setCommission(500);
        _commission(500);
        vm.prank(provider);
        staking.setCommission(5_000);
        vm.warp(block.timestamp + DELAY);
        _commission(5_000);
    }

    function _commission(uint16 expected) private view {
        (uint16 bps,,) = staking.rewardSplit(provider);
        _assertEq(bps, expected, "commission in force");
    }

    /// R53: delegated stake counts up to the multiple, for capacity only.
    function test_views__of_a_delegated_provider__say_what_counts() public {
        _assertEq(staking.capacityOf(provider), 110 ether, "capacity");
        vm.prank(delegator);
        staking.delegate(provider, 1_000 ether);
        _assertEq(staking.capacityOf(provider), 500 ether, "four times the own stake at most");
        staking.setDelegationMultiple(0);
        _assertEq(staking.capacityOf(provider), 100 ether, "none");
        _assertEq(staking.activeStake(provider), 100 ether, "no deterrent");
        _assertEq(staking.slashableStake(provider), 100 ether, "own");
        _assertEq(staking.delegatedStake(provider), 1_010 ether, "delegated");
        (uint16 bps, uint96 own, uint96 delegated) = staking.rewardSplit(provider);
        _assertEq(bps, 1_000, "commission");
        _assertEq(own, 100 ether, "own part");
        _assertEq(delegated, 1_010 ether, "delegators' part");
        reward(providers[1], 5);
        (bps, own, delegated) = staking.rewardSplit(providers[1]);
        _assertEq(delegated, 0, "a pool without owners");
        _assertEq(staking.court(), address(this), "court");
        _assertEq(staking.rewards(), address(this), "rewards");
        _assertEq(staking.escrow(), address(this), "escrow");
        _assertEq(staking.guardian(), address(this), "guardian");
    }

    /// R55: long enough for every open position, and no longer than governance waits.
    function test_setUnstakeDelay__outside_its_bounds__is_refused() public {
        bytes4 outside = IGoverned.ParameterOutOfBounds.selector;
        vm.expectRevert(abi.encodeWithSelector(outside, "unstakeDelay", 6 days - 1, 6 days, 60 days));
        staking.setUnstakeDelay(6 days - 1);
        vm.expectRevert(abi.encodeWithSelector(outside, "unstakeDelay", 60 days + 1, 6 days, 60 days));
        staking.setUnstakeDelay(60 days + 1);
        getMinDelay = 365 days;
        vm.expectRevert(abi.encodeWithSelector(outside, "unstakeDelay", 90 days + 1, 6 days, 90 days));
        staking.setUnstakeDelay(90 days + 1);
        staking.setUnstakeDelay(6 days);
        _assertEq(staking.unstakeDelay(), 6 days, "delay");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.OnlyGovernor.selector, stranger));
        staking.setUnstakeDelay(6 days);
    }

    /// R51: a shortened delay lets the later one out first, and keeps the earlier one's release.
    function test_withdraw__after_the_delay_was_shortened__pays_out_of_order() public {
        vm.startPrank(provider);
        staking.stake(10 ether);
        staking.unstake(1 ether);
        vm.stopPrank();
        staking.setUnstakeDelay(6 days);
        vm.startPrank(provider);
        staking.unstake(2 ether);
        uint256 first = block.timestamp + 6 days;
        vm.expectRevert(abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, provider, first));
        staking.withdraw();
        vm.warp(first);
        _assertEq(staking.withdraw(), 2 ether, "the later one");
        uint256 release = block.timestamp + 4 days;
        vm.expectRevert(abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, provider, release));
        staking.withdraw();
        vm.warp(release);
        _assertEq(staking.withdraw(), 1 ether, "the earlier one");
        vm.stopPrank();
    }

    /// R54: the past is shared out first.
    function test_stake__with_delegators__shares_out_the_past_first() public {
        _assertEq(settledFor, provider, "delegate settles");
        settledFor = address(0);
        rewardOnSettle = 1 ether;
        vm.prank(provider);
        staking.stake(1 ether);
        _assertEq(settledFor, provider, "stake settles");
        (, uint96 worth) = staking.delegation(provider, delegator);
        _assertEq(worth, 11 ether - 1, "the past belongs to who was there");
    }

    /// R54: buying in just before a payout gets nothing of it.
    function test_delegate__just_before_a_payout__earns_nothing_of_the_past() public {
        rewardOnSettle = 1 ether;
        vm.prank(stranger);
        staking.delegate(provider, 5_000 ether);
        (, uint96 worth) = staking.delegation(provider, stranger);
        _assertLe(worth, 5_000 ether, "who came after");
        (, worth) = staking.delegation(provider, delegator);
        _assertLe(11 ether - 1, worth, "who was there");
    }

    /// R51: what slashes left of an unstaking is paid, also when its shares were counted in larger units since.
    function test_slash__to_a_thousand_millionth__pays_what_is_left() public {
        vm.startPrank(provider);
        staking.stake(1e22);
        staking.unstake(1e22);
        vm.stopPrank();
        for (uint256 i; i < 3; ++i) {
            staking.slash(provider, 9_990, address(0), 0, 0);
        }
        vm.warp(block.timestamp + DELAY);
        vm.prank(provider);
        _assertEq(staking.withdraw(), 1e13, "paid");
    }

    /// R52: the least delegation is a million shares' worth, rounded up.
    function test_delegate__at_a_dear_price__names_the_least() public {
        vm.prank(delegator);
        staking.undelegate(provider, 1e25 - 7);
        reward(provider, 1e25);
        (uint96 tokens, uint128 shares,) = staking.delegationPool(provider);
        uint256 least = (1e6 * (uint256(tokens) + 1) - 1) / (uint256(shares) + 1e6) + 1;
        bytes memory small = abi.encodeWithSelector(IStaking.DelegationTooSmall.selector, least - 1, least);
        refuses(stranger, abi.encodeCall(staking.delegate, (provider, uint96(least - 1))), small);
    }
}
