// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {ShadowBase} from "./ShadowBase.sol";
import {Vm} from "./Base.sol";

/// @title The books of stakes, kept from nothing but events, and what each slash may take
abstract contract ShadowStakes is ShadowBase {
    mapping(address provider => int256) public active;
    mapping(address provider => int256) public unstaking;
    mapping(address provider => int256) public delegated;
    mapping(address provider => int256) public undelegating;
    mapping(address account => int256) public awards;
    mapping(address provider => uint256) public slashes;
    int256 public condemned;
    /// @dev An award that follows a slash comes out of what was condemned; one that follows a seizure does not.
    bool private _followsSlash;

    function _readStaking(Vm.Log memory log) internal {
        bytes32 kind = log.topics[0];
        address provider = log.topics.length > 1 ? _account(log.topics[1]) : address(0);
        if (kind == IStaking.Staked.selector) {
            active[provider] += _first(log.data);
        } else if (kind == IStaking.UnstakeStarted.selector) {
            active[provider] -= _first(log.data);
            unstaking[provider] += _first(log.data);
        } else if (kind == IStaking.Withdrawn.selector) {
            unstaking[provider] -= _first(log.data);
        } else if (kind == IStaking.Slashed.selector) {
            _slashed(provider, log.data);
        } else if (kind == IStaking.Seized.selector) {
            _seized(provider, _first(log.data));
        } else if (kind == IStaking.Awarded.selector) {
            awards[provider] += _first(log.data);
            if (_followsSlash) condemned -= _first(log.data);
        } else if (kind == IStaking.AwardClaimed.selector) {
            awards[provider] -= _first(log.data);
        } else if (kind == IStaking.CondemnedBurned.selector) {
            condemned -= _first(log.data);
        } else if (kind == IStaking.Delegated.selector || kind == IStaking.DelegationRewarded.selector) {
            delegated[provider] += _first(log.data);
        } else if (kind == IStaking.UndelegateStarted.selector) {
            (, uint96 amount,) = abi.decode(log.data, (uint128, uint96, uint40));
            delegated[provider] -= int256(uint256(amount));
            undelegating[provider] += int256(uint256(amount));
        } else if (kind == IStaking.DelegationWithdrawn.selector) {
            undelegating[provider] -= _first(log.data);
        }
    }

    /// @dev Each part loses exactly its share, rounded up, whether it is on its way out or not.
    function _slashed(address provider, bytes memory data) private {
        (uint96 fromActive, uint96 fromUnstaking, uint96 fromDelegation, uint16 bps) =
            abi.decode(data, (uint96, uint96, uint96, uint16));
        int256 first = int256(uint256(fromActive));
        int256 second = int256(uint256(fromUnstaking));
        int256 third = _ceilShare(delegated[provider], bps);
        int256 fourth = _ceilShare(undelegating[provider], bps);
        note(7, first <= active[provider] && second <= unstaking[provider], "a slash took more than there is");
        note(8, first == _ceilShare(active[provider], bps), "a slash of active stake is not its share");
        note(11, second == _ceilShare(unstaking[provider], bps), "unstaking stake was not slashed alike");
        note(11, third + fourth == int256(uint256(fromDelegation)), "delegated stake was not slashed alike");
        active[provider] -= first;
        unstaking[provider] -= second;
        delegated[provider] -= third;
        undelegating[provider] -= fourth;
        condemned += first + second + third + fourth;
        ++slashes[provider];
        _followsSlash = true;
    }

    function _seized(address provider, int256 amount) private {
        int256 first = amount < active[provider] ? amount : active[provider];
        active[provider] -= first;
        unstaking[provider] -= amount - first;
        note(7, unstaking[provider] >= 0, "a seizure took more than there is");
        _followsSlash = false;
    }

    function _first(bytes memory data) private pure returns (int256) {
        return abi.decode(data, (int256));
    }
}
