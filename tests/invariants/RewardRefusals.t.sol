// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {MallaToken} from "../../contracts/MallaToken.sol";
import {Rewards} from "../../contracts/Rewards.sol";
import {IGoverned} from "../../contracts/interfaces/IGoverned.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {RewardMath} from "../../contracts/libraries/RewardMath.sol";
import {RewardStage} from "./RewardStage.sol";

/// @title What rewards refuse, and what holds for any numbers
/// @dev R60 to R64.
contract RewardRefusalsTest is RewardStage {
    address private constant STRANGER = address(0xBEEF);

    function setUp() external {
        vm.warp(1_000_000);
        _deploy(_schedule(), 9_000);
    }

    function test_deploy__without_a_part__is_refused() external {
        for (uint256 n; n < 3; ++n) {
            try this.deploy(n == 0, n == 1, n == 2, _schedule(), 1) {
                _assertTrue(false, "deployed");
            } catch (bytes memory refusal) {
                _same(refusal, abi.encodeWithSelector(IGoverned.NotWiredTo.selector, 0));
            }
        }
        IMallaToken.Allocation[] memory genesis = new IMallaToken.Allocation[](1);
        genesis[0] = IMallaToken.Allocation(address(this), GENESIS);
        IMallaToken other = IMallaToken(address(new MallaToken(genesis, STRANGER)));
        vm.expectRevert(abi.encodeWithSelector(IGoverned.NotWiredTo.selector, other));
        new Rewards(other, address(this), address(this), address(this), _schedule(), 1);
    }

    function test_deploy__with_a_number_out_of_its_bounds__is_refused() external {
        uint256 room = 1e9 ether - GENESIS;
        _outOfBounds(IRewards.Schedule(59, 1, 1, 1), 0, "epochLength", 59, 60, 365 days);
        _outOfBounds(IRewards.Schedule(365 days + 1, 1, 1, 1), 0, "epochLength", 365 days + 1, 60, 365 days);
        _outOfBounds(IRewards.Schedule(60, 1, 0, 1), 0, "halvingEpochs", 0, 1, type(uint32).max);
        _outOfBounds(IRewards.Schedule(60, 1, 1, uint96(room + 1)), 0, "hardCap", room + 1, 0, room);
        _outOfBounds(IRewards.Schedule(60, 2, 1, 1), 0, "firstBudget", 2, 0, 1);
        _outOfBounds(IRewards.Schedule(60, 1, 1, 1), 9_001, "betaBps", 9_001, 0, 9_000);
    }

    function test_calls__of_a_stranger__are_refused() external {
        vm.startPrank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IRewards.OnlyEscrow.selector, STRANGER));
        _rewards.accrue(STRANGER, 1);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.OnlyGovernor.selector, STRANGER));
        _rewards.setBeta(1);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NothingToClaim.selector, STRANGER));
        _rewards.claim(STRANGER);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IGoverned.ParameterOutOfBounds.selector, "betaBps", 10_000, 0, 9_000));
        _rewards.setBeta(10_000);
    }

    function test_claim__with_delegators__splits_what_was_earned() external {
        _staking.set(1_000, 30, 10);
        _rewards.accrue(STRANGER, 4_000);
        vm.warp(block.timestamp + 1 days);
        _assertEq(_rewards.claim(STRANGER), 3_600, "beta of it");
        _assertEq(_staking.pool(STRANGER), 810, "a quarter less a tenth");
        _assertEq(_token.balanceOf(STRANGER), 2_790, "the rest");
    }

    function test_views__of_what_is_fixed__say_it() external view {
        _assertEq(_rewards.capacityBudget(), 0, "no pay for challenges");
        _assertEq(_rewards.escrow(), address(this), "escrow");
        _assertEq(_rewards.staking(), address(_staking), "staking");
        _assertEq(_rewards.hardCap(), 1e6 ether, "cap");
        _assertEq(_rewards.betaBps(), 9_000, "beta");
    }

    function testFuzz_reward__of_work_split_over_identities__is_no_more_and_never_pays_the_burn(
        uint96 budget,
        uint96[5] calldata parts,
        uint96 others,
        uint16 beta
    ) external pure {
        beta = beta % 9_001;
        uint256 own;
        uint256 split;
        for (uint256 i; i < 5; ++i) {
            own += parts[i];
        }
        uint256 total = own + others;
        if (total == 0) return;
        for (uint256 i; i < 5; ++i) {
            split += RewardMath.reward(parts[i], total, budget, beta);
        }
        uint256 whole = RewardMath.reward(own, total, budget, beta);
        _assertLe(split, whole, "splitting pays");
        _assertLe(whole * 10, own * 9, "hiring oneself pays");
        _assertLe(whole, RewardMath.promised(budget, total, beta), "over the budget");
    }

    function deploy(bool noEscrow, bool noStaking, bool noGovernor, IRewards.Schedule calldata schedule, uint16 beta)
        external
    {
        _deploy(
            noEscrow ? address(0) : address(this),
            noStaking ? address(0) : address(1),
            noGovernor ? address(0) : address(this),
            schedule,
            beta
        );
    }

    function _outOfBounds(
        IRewards.Schedule memory schedule,
        uint16 beta,
        string memory parameter,
        uint256 value,
        uint256 least,
        uint256 most
    ) private {
        try this.deploy(false, false, false, schedule, beta) {
            _assertTrue(false, "deployed");
        } catch (bytes memory refusal) {
            _same(
                refusal, abi.encodeWithSelector(IGoverned.ParameterOutOfBounds.selector, parameter, value, least, most)
            );
        }
    }

    function _same(bytes memory left, bytes memory right) private pure {
        _assertTrue(keccak256(left) == keccak256(right), "another refusal");
    }

    function _schedule() private pure returns (IRewards.Schedule memory) {
        return IRewards.Schedule(1 days, 1_000 ether, 10, 1e6 ether);
    }
}
