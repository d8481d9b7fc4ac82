// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {Staking} from "../../contracts/Staking.sol";
import {IGoverned} from "../../contracts/interfaces/IGoverned.sol";
import {IGuarded} from "../../contracts/interfaces/IGuarded.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {StakeStage} from "./StakeStage.sol";

/// @title Every refusal of Staking with its operands
contract StakeRefusalsTest is StakeStage {
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

    function _no(bytes4 name) private pure returns (bytes memory) {
        return abi.encodeWithSelector(name);
    }

    function _no(bytes4 name, address who) private pure returns (bytes memory) {
        return abi.encodeWithSelector(name, who);
    }

    function test_constructor__with_a_part_missing__is_refused() public {
        for (uint256 missing; missing < 5; ++missing) {
            IStaking.StakingWiring memory parts =
                IStaking.StakingWiring(token, address(1), address(2), address(3), address(4));
            if (missing == 0) parts.token = IMallaToken(address(0));
            if (missing == 1) parts.escrow = address(0);
            if (missing == 2) parts.court = address(0);
            if (missing == 3) parts.rewards = address(0);
            if (missing == 4) parts.governor = address(0);
            vm.expectRevert(_no(IGoverned.NotWiredTo.selector, address(0)));
            new Staking(parts, DELAY, 4, address(0));
        }
    }

    function test_constructor__outside_the_bounds__is_refused() public {
        IStaking.StakingWiring memory parts =
            IStaking.StakingWiring(token, address(1), address(2), address(3), address(4));
        bytes4 outside = IGoverned.ParameterOutOfBounds.selector;
        vm.expectRevert(abi.encodeWithSelector(outside, "unstakeDelay", 59, 60, 90 days));
        new Staking(parts, 59, 4, address(0));
        vm.expectRevert(abi.encodeWithSelector(outside, "unstakeDelay", 90 days + 1, 60, 90 days));
        new Staking(parts, 90 days + 1, 4, address(0));
        vm.expectRevert(abi.encodeWithSelector(outside, "delegationMultiple", 17, 0, 16));
        new Staking(parts, 60, 17, address(0));
        _assertEq(new Staking(parts, 60, 16, address(0)).delegationMultiple(), 16, "multiple");
    }

    function test_keys__that_may_not_be_named__are_refused() public {
        bytes32 seal = bytes32(uint256(1));
        address node = vm.addr(1001);
        bytes memory register = abi.encodeCall(staking.register, (node, seal, 0, ""));
        refuses(provider, register, _no(IStaking.AlreadyRegistered.selector, provider));
        refuses(stranger, register, abi.encodeWithSelector(IStaking.NodeKeyAlreadyUsed.selector, node, provider));
        register = abi.encodeCall(staking.register, (address(0), seal, 0, ""));
        refuses(stranger, register, _no(IStaking.ZeroNodeKey.selector));
        register = abi.encodeCall(staking.register, (address(9), 0, 0, ""));
        refuses(stranger, register, _no(IStaking.ZeroEncryptionKey.selector));
        register = abi.encodeCall(staking.register, (address(9), seal, 0, ""));
        bytes4 name = IStaking.NodeKeySignatureInvalid.selector;
        bytes memory invalid = abi.encodeWithSelector(name, address(9), address(0));
        refuses(stranger, register, invalid);
        refuses(provider, abi.encodeCall(staking.rotateNodeKey, (address(9), seal, "")), invalid);
        bytes memory unknown = _no(IStaking.NotRegistered.selector, stranger);
        refuses(stranger, abi.encodeCall(staking.rotateNodeKey, (address(9), seal, "")), unknown);
        refuses(stranger, abi.encodeCall(staking.setMetadata, (seal)), unknown);
    }

    function test_own_stake__against_its_rules__is_refused() public {
        refuses(stranger, abi.encodeCall(staking.stake, (1)), _no(IStaking.NotRegistered.selector, stranger));
        refuses(provider, abi.encodeCall(staking.stake, (0)), _no(IStaking.ZeroAmount.selector));
        refuses(provider, abi.encodeCall(staking.unstake, (0)), _no(IStaking.ZeroAmount.selector));
        bytes memory low = abi.encodeWithSelector(IStaking.StakeTooLow.selector, provider, 100 ether, 100 ether + 1);
        refuses(provider, abi.encodeCall(staking.unstake, (100 ether + 1)), low);
        bytes memory nothing = abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, provider, 0);
        refuses(provider, abi.encodeCall(staking.withdraw, ()), nothing);
    }

    function test_delegations__against_their_rules__are_refused() public {
        bytes memory call = abi.encodeCall(staking.delegate, (stranger, 1 ether));
        refuses(delegator, call, _no(IStaking.NotRegistered.selector, stranger));
        address shy = enrolSilently(50);
        call = abi.encodeCall(staking.delegate, (shy, 1 ether));
        refuses(delegator, call, _no(IStaking.DelegationNotOpen.selector, shy));
        call = abi.encodeCall(staking.delegate, (provider, 1 ether - 1));
        bytes memory small = abi.encodeWithSelector(IStaking.DelegationTooSmall.selector, 1 ether - 1, 1 ether);
        refuses(delegator, call, small);
        refuses(delegator, abi.encodeCall(staking.undelegate, (provider, 0)), _no(IStaking.ZeroAmount.selector));
        bytes memory few = abi.encodeWithSelector(IStaking.TooFewShares.selector, provider, stranger, 0, 1);
        refuses(stranger, abi.encodeCall(staking.undelegate, (provider, 1)), few);
        vm.startPrank(delegator);
        for (uint256 i; i < 16; ++i) {
            staking.undelegate(provider, 1e6);
        }
        vm.stopPrank();
        bytes memory many = abi.encodeWithSelector(IStaking.TooManyUnstakings.selector, provider, 16);
        refuses(delegator, abi.encodeCall(staking.undelegate, (provider, 1)), many);
        bytes memory early =
            abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, provider, block.timestamp + DELAY);
        refuses(delegator, abi.encodeCall(staking.withdrawDelegation, (provider)), early);
        bytes memory high = abi.encodeWithSelector(IStaking.CommissionTooHigh.selector, 5_001, 5_000);
        refuses(provider, abi.encodeCall(staking.setCommission, (5_001)), high);
        refuses(stranger, abi.encodeCall(staking.setCommission, (0)), _no(IStaking.NotRegistered.selector, stranger));
    }

    /// R24: only the escrow, the court and the rewards touch what is a provider's.
    function test_callers__that_are_somebody_else__are_refused() public {
        bytes memory call = abi.encodeCall(staking.slash, (provider, 1, address(0), 0, 0));
        refuses(stranger, call, _no(IStaking.OnlyEscrow.selector, stranger));
        call = abi.encodeCall(staking.seize, (provider, 1, stranger));
        refuses(stranger, call, _no(IStaking.OnlyCourt.selector, stranger));
        call = abi.encodeCall(staking.addDelegationReward, (provider, 1));
        refuses(stranger, call, _no(IStaking.OnlyRewards.selector, stranger));
        bytes memory governor = _no(IGoverned.OnlyGovernor.selector, stranger);
        refuses(stranger, abi.encodeCall(staking.setDelegationMultiple, (1)), governor);
        refuses(stranger, abi.encodeCall(staking.setGuardian, (stranger)), governor);
        refuses(stranger, abi.encodeCall(staking.pause, (1)), _no(IGuarded.OnlyGuardian.selector, stranger));
        refuses(stranger, abi.encodeCall(staking.claimAward, ()), _no(IStaking.NoAward.selector, stranger));
        refuses(stranger, abi.encodeCall(staking.burnCondemned, ()), _no(IStaking.NothingCondemned.selector));
    }

    function test_slash__over_the_whole__is_refused() public {
        bytes memory large = abi.encodeWithSelector(IStaking.SlashTooLarge.selector, 10_001);
        refuses(address(this), abi.encodeCall(staking.slash, (provider, 10_001, address(0), 0, 0)), large);
        refuses(address(this), abi.encodeCall(staking.slash, (provider, 1, address(0), 10_001, 0)), large);
        _assertEq(staking.slash(provider, 10_000, address(0), 10_000, 1 ether), 100 ether, "the whole");
        _assertEq(staking.awardOf(address(0)), 0, "nobody challenged");
        _assertEq(staking.condemned(), 110 ether, "all of it is condemned");
    }

    function test_permit__that_is_worthless__leaves_the_allowance_to_decide() public {
        vm.prank(provider);
        staking.stakeWithPermit(1 ether, 0, 27, 0, 0);
        _assertEq(staking.activeStake(provider), 101 ether, "staked by the allowance");
    }
}
