// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IGoverned} from "../../contracts/interfaces/IGoverned.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {StakeStage} from "./StakeStage.sol";

/// @title What somebody would try with a pool of shares
contract StakeAttacksTest is StakeStage {
    address private provider;
    address private attacker;
    address private victim;

    function setUp() public {
        deployStage();
        provider = providers[0];
        attacker = delegators[0];
        victim = delegators[1];
    }

    /// R52: whoever comes first and inflates the price of a share loses, the victim does not.
    function testFuzz_delegate__after_an_inflated_price__costs_the_attacker(
        uint96 donation,
        uint96 amount,
        uint128 kept
    ) public {
        donation = uint96(_bound(donation, 0, 1e26));
        kept = uint128(_bound(kept, 1, 1e24 - 1));
        vm.startPrank(attacker);
        uint128 shares = staking.delegate(provider, 1 ether);
        staking.undelegate(provider, shares - kept);
        vm.stopPrank();
        reward(provider, donation);
        amount = uint96(_bound(amount, 1 ether, 1e25));
        vm.prank(victim);
        try staking.delegate(provider, amount) returns (uint128) {
            (, uint96 worth) = staking.delegation(provider, victim);
            _assertLe(amount, worth + amount / 1e6 + 2, "the victim's loss is below a millionth");
        } catch {}
        (uint128 left, uint96 mine) = staking.delegation(provider, attacker);
        vm.prank(attacker);
        staking.undelegate(provider, left);
        vm.warp(block.timestamp + DELAY);
        uint256 wallet = token.balanceOf(attacker);
        vm.prank(attacker);
        uint96 back = staking.withdrawDelegation(provider);
        _assertEq(token.balanceOf(attacker), wallet + back, "paid");
        _assertLe(back, 1 ether + uint256(donation), "no gain");
        _assertLe(mine, 1 ether + uint256(donation), "no gain on paper");
    }

    /// R52: a direct transfer changes no price.
    function test_transfer__to_the_contract__changes_nothing() public {
        vm.prank(attacker);
        staking.delegate(provider, 1 ether);
        vm.prank(attacker);
        token.transfer(address(staking), 1e24);
        vm.prank(victim);
        staking.delegate(provider, 3 ether);
        (, uint96 worth) = staking.delegation(provider, victim);
        _assertEq(worth, 3 ether, "worth");
    }

    /// R52: in and out and in again never gains, whatever slashes and rewards came before.
    function testFuzz_round_trip__at_any_price__gains_nothing(
        uint96 first,
        uint16 bps,
        uint96 gift,
        uint96 amount,
        uint8 parts
    ) public {
        first = uint96(_bound(first, 1 ether, 1e24));
        vm.prank(victim);
        staking.delegate(provider, first);
        staking.slash(provider, uint16(_bound(bps, 0, 9_990)), address(0), 0, 0);
        reward(provider, uint96(_bound(gift, 0, 1e24)));
        amount = uint96(_bound(amount, 1 ether, 1e24));
        parts = uint8(_bound(parts, 1, 16));
        vm.startPrank(attacker);
        uint128 shares = staking.delegate(provider, amount);
        for (uint128 i; i < parts; ++i) {
            staking.undelegate(provider, i + 1 == parts ? shares - shares / parts * i : shares / parts);
        }
        vm.warp(block.timestamp + DELAY);
        uint96 back = staking.withdrawDelegation(provider);
        _assertLe(back, amount, "no gain");
        _assertLe(amount, back + amount / 1e6 + 17, "and next to no loss");
        vm.stopPrank();
    }

    /// R51: a wei out for each wei in, without a slash, in any parts.
    function testFuzz_unstake__without_a_slash__pays_to_the_wei(uint96[16] memory amounts) public {
        uint256 sum;
        vm.startPrank(provider);
        staking.stake(1e25);
        for (uint256 i; i < 16; ++i) {
            amounts[i] = uint96(_bound(amounts[i], 1, 1e25 / 16));
            sum += amounts[i];
            staking.unstake(amounts[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(IStaking.TooManyUnstakings.selector, provider, 16));
        staking.unstake(1);
        vm.warp(block.timestamp + DELAY);
        _assertEq(staking.withdraw(), sum, "paid");
        _assertEq(staking.slashableStake(provider), 1e25 - sum, "left");
        vm.stopPrank();
    }

    /// R51: nothing comes out a second early, and what is slashed in the last second is slashed.
    function testFuzz_unstake_then_slash__in_the_last_second__takes_it_all(uint96 amount, uint16 bps) public {
        amount = uint96(_bound(amount, 1, 1e25));
        bps = uint16(_bound(bps, 1, 10_000));
        vm.startPrank(provider);
        staking.stake(amount);
        staking.unstake(amount);
        uint256 release = block.timestamp + DELAY;
        vm.warp(release - 1);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, provider, release));
        staking.withdraw();
        vm.stopPrank();
        vm.warp(release + 1000);
        uint256 due = (uint256(amount) * bps + 9_999) / 10_000;
        _assertEq(staking.slash(provider, bps, address(0), 0, 0), due, "slashed");
        vm.prank(provider);
        uint96 paid = staking.withdraw();
        _assertLe(paid, amount - due, "no more than is left");
        _assertLe(amount - due, paid + 1, "no less");
    }

    /// R51: earlier unstakings gain nothing from later ones, however many slashes lie between.
    function testFuzz_unstake__between_slashes__pays_each_its_own(uint96[6] memory amounts, uint16[6] memory rates)
        public
    {
        vm.startPrank(provider);
        staking.stake(1e24);
        vm.stopPrank();
        uint256[6] memory fair; // in 1e9 parts of a wei
        for (uint256 i; i < 6; ++i) {
            uint96 active = staking.activeStake(provider);
            if (active == 0) {
                vm.prank(provider);
                staking.stake(1e20);
                active = 1e20;
            }
            amounts[i] = uint96(_bound(amounts[i], 1, active));
            vm.prank(provider);
            staking.unstake(amounts[i]);
            fair[i] = uint256(amounts[i]) * 1e9;
            uint16 bps = rates[i] % 3 == 0 ? 10_000 : uint16(_bound(rates[i], 0, 9_999));
            staking.slash(provider, bps, address(0), 0, 0);
            for (uint256 k; k <= i; ++k) {
                fair[k] = fair[k] * (10_000 - bps) / 10_000;
            }
            IStaking.Unstaking[] memory list = staking.unstakings(provider);
            for (uint256 k; k <= i; ++k) {
                _assertLe(list[k].amount, fair[k] / 1e9 + 1, "never more than its own part");
                _assertLe(fair[k] / 1e9, list[k].amount + i + 2, "less by rounding only");
            }
        }
    }

    /// R51: a slash never fails, also of a pool that was slashed to nothing more often than its scale can count.
    function test_slash__to_nothing_eight_thousand_times__still_works() public {
        for (uint256 i; i < 8_208; ++i) {
            vm.startPrank(provider);
            if (i % 16 == 0 && i != 0 && i <= 8_192) {
                vm.warp(block.timestamp + DELAY);
                staking.withdraw();
            }
            staking.stake(2);
            staking.unstake(1);
            vm.stopPrank();
            _assertEq(staking.slash(provider, 1, address(0), 0, 0), 2, "slashed");
        }
        vm.prank(provider);
        staking.stake(1 ether);
        _assertEq(staking.slash(provider, 2_500, address(0), 0, 0), 0.25 ether, "slashed");
    }

    /// R51, R53: nearly everything again and again: entering stays possible and fair.
    function test_slash__of_nearly_everything_again_and_again__keeps_exits_open() public {
        vm.prank(provider);
        staking.stake(1e22);
        vm.prank(provider);
        staking.unstake(7);
        vm.prank(victim);
        staking.delegate(provider, 2e22);
        vm.prank(victim);
        staking.undelegate(provider, 5e27);
        for (uint256 i; i < 14; ++i) {
            vm.prank(provider);
            staking.stake(1e22);
            vm.prank(provider);
            staking.unstake(1e22);
            IStaking.Unstaking[] memory list = staking.unstakings(provider);
            _assertLe(1e22 - 2, list[list.length - 1].amount, "what just came in is worth it");
            staking.slash(provider, 9_999, address(0), 0, 0);
            staking.seize(provider, uint96(staking.slashableStake(provider) / 2), address(7));
        }
        vm.warp(block.timestamp + DELAY);
        vm.prank(provider);
        staking.withdraw();
        vm.prank(victim);
        staking.withdrawDelegation(provider);
        (uint128 shares,) = staking.delegation(provider, victim);
        vm.prank(attacker);
        vm.expectRevert(abi.encodeWithSelector(IStaking.DelegationPoolIsDead.selector, provider));
        staking.delegate(provider, 1 ether);
        vm.prank(victim);
        staking.undelegate(provider, shares);
        vm.prank(attacker);
        staking.delegate(provider, 1 ether);
        (, uint96 worth) = staking.delegation(provider, attacker);
        _assertEq(worth, 1 ether, "a pool that all left takes delegations again");
    }

    /// R51: whichever of the sixteen was paid, its place is free again.
    function test_unstake__after_fifteen_were_paid__finds_a_place() public {
        vm.startPrank(provider);
        staking.stake(20 ether);
        for (uint256 i; i < 16; ++i) {
            if (i == 15) vm.warp(block.timestamp + 1 days);
            staking.unstake(1 ether);
        }
        vm.warp(block.timestamp + DELAY - 1 days);
        _assertEq(staking.withdraw(), 15 ether, "fifteen");
        staking.unstake(2 ether);
        vm.stopPrank();
        IStaking.Unstaking[] memory list = staking.unstakings(provider);
        _assertEq(list.length, 2, "unstakings");
        _assertEq(list[0].amount, 2 ether, "in the first place");
        _assertEq(list[1].amount, 1 ether, "still in the last");
    }
}
