// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {StakeStage} from "./StakeStage.sol";

/// @title Stakes to the last wei: what moves, and what a slash takes of every kind
contract StakeEdgesTest is StakeStage {
    address private provider;
    address private delegator;
    address private stranger;

    function setUp() public {
        deployStage();
        (provider, delegator, stranger) = (providers[0], delegators[0], delegators[2]);
        vm.prank(provider);
        staking.stake(100 ether);
    }

    /// R52: each token that is staked, and each that is withdrawn, moves.
    function test_stake__of_everything_in_and_out__moves_its_tokens() public {
        _assertEq(token.balanceOf(provider), 1e25 - 100 ether, "staked");
        _assertEq(token.balanceOf(address(staking)), 100 ether, "held");
        vm.startPrank(provider);
        staking.unstake(100 ether);
        _assertEq(staking.activeStake(provider), 0, "all of it");
        vm.warp(block.timestamp + DELAY);
        staking.withdraw();
        vm.stopPrank();
        _assertEq(token.balanceOf(provider), 1e25, "withdrawn");
        _assertEq(token.balanceOf(address(staking)), 0, "nothing is held");
    }

    /// R53: the least delegation is taken, and all of it comes back.
    function test_delegation__of_the_least_amount__moves_its_tokens() public {
        vm.startPrank(delegator);
        uint128 shares = staking.delegate(provider, 1 ether);
        _assertEq(token.balanceOf(delegator), 1e25 - 1 ether, "delegated");
        staking.undelegate(provider, shares);
        (shares,) = staking.delegation(provider, delegator);
        _assertEq(shares, 0, "all of it");
        vm.warp(block.timestamp + DELAY);
        _assertEq(staking.withdrawDelegation(provider), 1 ether, "amount");
        vm.stopPrank();
        _assertEq(token.balanceOf(delegator), 1e25, "withdrawn");
    }

    /// R50: the same share of all four kinds, of which the delegators' never reach the challenger.
    function test_slash__of_all_four_kinds__takes_a_quarter_of_each() public {
        vm.startPrank(delegator);
        uint128 shares = staking.delegate(provider, 20 ether);
        staking.undelegate(provider, shares / 2);
        vm.stopPrank();
        vm.prank(provider);
        staking.unstake(40 ether);
        _assertEq(staking.slash(provider, 2_500, stranger, 1_000, type(uint96).max), 25 ether, "own part");
        _assertEq(staking.activeStake(provider), 45 ether, "active");
        _assertEq(staking.slashableStake(provider), 75 ether, "and unstaking");
        (uint96 delegated,, uint96 undelegating) = staking.delegationPool(provider);
        _assertEq(delegated, 7.5 ether, "delegated");
        _assertEq(undelegating, 7.5 ether, "undelegating");
        _assertEq(staking.awardOf(stranger), 2.5 ether, "a tenth of the own part");
        _assertEq(staking.condemned(), 22.5 ether + 5 ether, "the rest is condemned");
    }

    /// R54: a commission named again is in force as it was.
    function test_commission__named_again__counts_at_once() public {
        vm.warp(block.timestamp + 1);
        vm.expectEmit(true, true, true, true);
        emit IStaking.CommissionChanged(provider, 1_000, uint40(block.timestamp));
        vm.prank(provider);
        staking.setCommission(1_000);
    }

    /// R50: the court takes exactly what is active, and leaves what is on its way out.
    function test_seize__of_exactly_the_active_stake__leaves_the_rest() public {
        vm.prank(provider);
        staking.unstake(40 ether);
        _assertEq(staking.seize(provider, 60 ether, stranger), 60 ether, "taken");
        _assertEq(staking.slashableStake(provider), 40 ether, "left");
        _assertEq(staking.awardOf(stranger), 60 ether, "awarded");
    }

    /// R51: sixteen unstakings at a time, and one more when one was paid.
    function test_unstake__a_seventeenth_time__is_refused() public {
        vm.startPrank(provider);
        for (uint256 i; i < 16; ++i) {
            staking.unstake(1 ether);
        }
        vm.stopPrank();
        bytes memory many = abi.encodeWithSelector(IStaking.TooManyUnstakings.selector, provider, 16);
        refuses(provider, abi.encodeCall(staking.unstake, (1 ether)), many);
        vm.warp(block.timestamp + DELAY);
        vm.startPrank(provider);
        _assertEq(staking.withdraw(), 16 ether, "all that is due");
        staking.unstake(1 ether);
        vm.stopPrank();
    }

    /// R53: nobody enters a pool of which a slash left nothing.
    function test_delegate__to_a_pool_that_was_slashed_to_nothing__is_refused() public {
        vm.prank(delegator);
        staking.delegate(provider, 10 ether);
        staking.slash(provider, 10_000, address(0), 0, 0);
        bytes memory dead = abi.encodeWithSelector(IStaking.DelegationPoolIsDead.selector, provider);
        refuses(stranger, abi.encodeCall(staking.delegate, (provider, 100 ether)), dead);
    }
}
