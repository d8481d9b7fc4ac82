// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {Vm} from "./Base.sol";
import {RewardStage} from "./RewardStage.sol";

/// @title Rewards at the hard cap, and what each claim mints
contract RewardEdgesTest is RewardStage {
    address private constant ANN = address(0xA11);
    address private constant BEN = address(0xB0B);

    function setUp() external {
        vm.warp(1_000_000);
        _deploy(IRewards.Schedule(1 days, 1_000, 10, 1_500), 9_000);
    }

    /// R62: an epoch's budget is what earlier ones left of the hard cap, told before and after its first burn.
    function test_budget__at_the_hard_cap__is_what_is_left() external {
        _assertEq(_rewards.epoch(), 0, "first epoch");
        _assertEq(_rewards.budgetOf(0), 1_000, "the whole budget");
        _rewards.accrue(ANN, 1e6);
        vm.warp(block.timestamp + 1 days);
        _assertEq(_rewards.epoch(), 1, "second epoch");
        _assertEq(_rewards.budgetOf(1), 500, "what is left");
        _rewards.accrue(ANN, 1e6);
        _assertEq(_rewards.budgetOf(1), 500, "fixed");
        vm.warp(block.timestamp + 1 days);
        _assertEq(_rewards.budgetOf(2), 0, "nothing is left");
        _rewards.accrue(ANN, 1e6);
        vm.warp(block.timestamp + 1 days);
        _assertEq(_rewards.claimable(ANN), 1_500, "accrued and pending");
        _assertEq(_rewards.claim(ANN), 1_500, "all of the cap");
        _total(1_500, 1_500);
    }

    /// R62: the schedule halves, by the epochs since the deployment.
    function test_budget__ten_epochs_later__is_half() external {
        vm.warp(block.timestamp + 10 days);
        _assertEq(_rewards.epoch(), 10, "epoch");
        _assertEq(_rewards.budgetOf(10), 500, "half");
    }

    /// R63: the first claim mints what everybody earned, and the next one nothing.
    function test_claim__after_another__mints_nothing() external {
        _rewards.accrue(ANN, 1_000);
        _rewards.accrue(BEN, 3_000);
        vm.warp(block.timestamp + 1 days);
        _rewards.accrue(ANN, 1);
        _rewards.accrue(BEN, 1);
        _total(1_000, 0);
        _assertEq(_rewards.claimable(BEN), 750, "three quarters");
        uint256 supply = _token.totalSupply();
        _assertEq(_rewards.claim(ANN), 250, "a quarter");
        _assertEq(_token.totalSupply(), supply + 1_000, "everybody's");
        vm.recordLogs();
        _assertEq(_rewards.claim(BEN), 750, "the rest");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            bool isMint = logs[i].topics[0] == IERC20.Transfer.selector && logs[i].topics[1] == 0;
            _assertTrue(!isMint, "minted again");
        }
        _total(1_000, 1_000);
        _assertEq(_token.balanceOf(address(_rewards)), 0, "nothing is left over");
        _assertEq(_token.balanceOf(BEN), 750, "paid");
    }

    /// R60: a burn that no longer fits its epoch is not counted, up to the last wei.
    function test_accrue__of_more_than_an_epoch_holds__counts_what_fits() external {
        _rewards.accrue(ANN, type(uint96).max - 1);
        _rewards.accrue(BEN, 5);
        _assertEq(_rewards.burnedIn(0), type(uint96).max, "full");
        vm.recordLogs();
        _rewards.accrue(BEN, 1);
        _assertEq(vm.getRecordedLogs().length, 0, "nothing is counted");
    }

    function _total(uint96 earned, uint96 minted) private view {
        (uint96 earned_, uint96 minted_) = _rewards.totals();
        _assertEq(earned_, earned, "earned");
        _assertEq(minted_, minted, "minted");
    }
}
