// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {StakeStage} from "./StakeStage.sol";

/// @title Random schedules of everything that moves a stake
/// @dev After each move: every wei is accounted for, nobody's exits are worth more than the pool holds, and whoever did
/// not act lost nothing but to a slash.
contract StakeSchedulesTest is StakeStage {
    uint256 private _random;
    uint256[] private _before;
    address private constant CHALLENGER = address(7);

    function setUp() public {
        deployStage();
    }

    /// R50 to R52, and R24: nobody else's move costs anybody a wei.
    /// forge-config: default.fuzz.runs = 128
    function testFuzz_schedule__of_any_moves__keeps_every_rule(uint256 seed) public {
        _random = seed;
        for (uint256 i; i < 60; ++i) {
            _step();
            _solvent();
        }
        _everybodyLeaves();
        _solvent();
    }

    function _draw(uint256 low, uint256 high) private returns (uint256) {
        _random = uint256(keccak256(abi.encode(_random)));
        return low + _random % (high - low + 1);
    }

    function _amount() private returns (uint96) {
        uint256 kind = _draw(0, 3);
        return uint96(_draw(1, kind == 0 ? 10 : kind == 1 ? 1e12 : 1e22));
    }

    function _step() private {
        address provider = providers[_draw(0, PROVIDERS - 1)];
        address delegator = delegators[_draw(0, DELEGATORS - 1)];
        uint256 move = _draw(0, 11);
        if (move < 4) {
            _snapshot();
            if (move == 0) _tryAs(provider, abi.encodeCall(staking.stake, (_amount())));
            else if (move == 1) _tryAs(provider, abi.encodeCall(staking.unstake, (_amount())));
            else if (move == 2) _withdraw(provider);
            else _tryAs(provider, abi.encodeCall(staking.setCommission, (uint16(_draw(0, 6_000)))));
            _othersKept(provider);
        } else if (move < 8) {
            _snapshot();
            if (move == 4) _tryAs(delegator, abi.encodeCall(staking.delegate, (provider, _amount() + 1 ether)));
            else if (move == 5) _undelegate(provider, delegator);
            else if (move == 6) _withdrawDelegation(provider, delegator);
            else if (_draw(0, 1) == 0) reward(provider, _amount());
            else rewardOnSettle = _amount();
            _othersKept(delegator);
        } else if (move == 8) {
            _slash(provider);
        } else if (move == 9) {
            uint96 asked = _amount();
            uint256 own = staking.slashableStake(provider);
            uint96 taken = staking.seize(provider, asked, delegator);
            _assertEq(taken, asked < own ? asked : own, "seized");
            _assertEq(staking.slashableStake(provider), own - taken, "own after seizure");
        } else {
            vm.warp(block.timestamp + _draw(0, DELAY / 2));
        }
    }

    function _slash(address provider) private {
        uint16 bps = uint16(_draw(0, 5) == 0 ? 10_000 : _draw(0, 9_999));
        uint256[4] memory was = _parts(provider);
        uint256 taken = staking.condemned() + staking.awardOf(CHALLENGER);
        uint256 award = staking.awardOf(CHALLENGER);
        uint256 held = token.balanceOf(address(staking));
        uint16 share = uint16(_draw(0, 10_000));
        uint96 most = _amount();
        uint96 slashed = staking.slash(provider, bps, CHALLENGER, share, most);
        uint256[4] memory left = _parts(provider);
        uint256 sum;
        for (uint256 i; i < 4; ++i) {
            _assertEq(left[i], was[i] - _up(was[i], bps), "a part after the slash");
            sum += was[i] - left[i];
        }
        _assertEq(slashed, was[0] + was[1] - left[0] - left[1], "slashed of the own stake");
        _assertEq(staking.condemned() + staking.awardOf(CHALLENGER), taken + sum, "condemned and awarded");
        uint256 due = uint256(slashed) * share / 10_000;
        _assertEq(staking.awardOf(CHALLENGER) - award, due < most ? due : most, "award");
        _assertEq(token.balanceOf(address(staking)), held, "a slash moves no token");
    }

    function _parts(address provider) private view returns (uint256[4] memory parts) {
        IStaking.Provider memory record = staking.provider(provider);
        (parts[0], parts[1]) = (record.active, record.unstaking);
        (parts[2],, parts[3]) = staking.delegationPool(provider);
    }

    function _up(uint256 amount, uint256 bps) private pure returns (uint256) {
        return (amount * bps + 9_999) / 10_000;
    }

    function _withdraw(address provider) private {
        (uint256 due, bool any) = _due(staking.unstakings(provider));
        _pays(provider, abi.encodeCall(staking.withdraw, ()), due, any);
        (, any) = _due(staking.unstakings(provider));
        _assertTrue(!any, "nothing due is left");
    }

    function _withdrawDelegation(address provider, address delegator) private {
        (uint256 due, bool any) = _due(staking.undelegations(provider, delegator));
        _pays(delegator, abi.encodeCall(staking.withdrawDelegation, (provider)), due, any);
        (, any) = _due(staking.undelegations(provider, delegator));
        _assertTrue(!any, "nothing due is left");
    }

    /// @dev Nothing before its release, and then each part, rounded once for all of them.
    function _pays(address who, bytes memory call, uint256 due, bool any) private {
        uint256 wallet = token.balanceOf(who);
        _assertTrue(_tryAs(who, call) == any, "pays when something is due, and only then");
        uint256 paid = token.balanceOf(who) - wallet;
        _assertLe(due, paid, "at least each part rounded down");
        _assertLe(paid, due + 16, "no more than the rounding of each part");
    }

    function _due(IStaking.Unstaking[] memory list) private view returns (uint256 due, bool any) {
        for (uint256 i; i < list.length; ++i) {
            if (list[i].releaseAt > block.timestamp) continue;
            due += list[i].amount;
            any = true;
        }
    }

    function _undelegate(address provider, address delegator) private {
        (uint128 shares, uint96 worth) = staking.delegation(provider, delegator);
        uint128 part = uint128(_draw(0, 2) == 0 ? shares : _draw(0, shares));
        bool done = _tryAs(delegator, abi.encodeCall(staking.undelegate, (provider, part)));
        if (done && part == shares) {
            IStaking.Unstaking[] memory list = staking.undelegations(provider, delegator);
            uint256 sum;
            for (uint256 i; i < list.length; ++i) {
                sum += list[i].amount;
            }
            _assertLe(worth, sum + 1, "what a share was worth is on its way out");
        }
    }

    /// @dev Every wei is somewhere, and exits are covered.
    function _solvent() private view {
        uint256 sum = staking.condemned() + staking.awardOf(CHALLENGER);
        for (uint256 i; i < DELEGATORS; ++i) {
            sum += staking.awardOf(delegators[i]);
        }
        for (uint256 p; p < PROVIDERS; ++p) {
            address provider = providers[p];
            IStaking.Provider memory record = staking.provider(provider);
            (uint96 tokens, uint128 shares, uint96 unstaking) = staking.delegationPool(provider);
            sum += uint256(record.active) + record.unstaking + tokens + unstaking;
            _assertLe(_sum(staking.unstakings(provider)), record.unstaking, "unstakings are covered");
            uint256 owned;
            uint256 held;
            uint256 leaving;
            for (uint256 i; i < DELEGATORS; ++i) {
                (uint128 its, uint96 worth) = staking.delegation(provider, delegators[i]);
                held += its;
                owned += worth;
                leaving += _sum(staking.undelegations(provider, delegators[i]));
            }
            _assertEq(held, shares, "shares");
            _assertLe(owned, tokens, "delegations are covered");
            _assertLe(leaving, unstaking, "undelegations are covered");
        }
        _assertEq(token.balanceOf(address(staking)), sum, "every wei is accounted for");
    }

    /// @dev Every exit is open, whatever happened before.
    function _everybodyLeaves() private {
        vm.warp(block.timestamp + DELAY);
        for (uint256 round; round < 2; ++round) {
            for (uint256 p; p < PROVIDERS; ++p) {
                if (staking.unstakings(providers[p]).length != 0) _withdraw(providers[p]);
                uint96 active = staking.activeStake(providers[p]);
                if (active != 0) _assertTrue(_tryAs(providers[p], abi.encodeCall(staking.unstake, (active))), "out");
                for (uint256 i; i < DELEGATORS; ++i) {
                    _leave(providers[p], delegators[i]);
                }
            }
            vm.warp(block.timestamp + DELAY);
        }
    }

    function _leave(address provider, address delegator) private {
        if (staking.undelegations(provider, delegator).length != 0) _withdrawDelegation(provider, delegator);
        (uint128 shares,) = staking.delegation(provider, delegator);
        if (shares == 0) return;
        _assertTrue(_tryAs(delegator, abi.encodeCall(staking.undelegate, (provider, shares))), "out");
    }

    function _tryAs(address who, bytes memory call) private returns (bool done) {
        vm.prank(who);
        (done,) = address(staking).call(call);
    }

    function _sum(IStaking.Unstaking[] memory list) private pure returns (uint256 sum) {
        for (uint256 i; i < list.length; ++i) {
            sum += list[i].amount;
        }
    }

    function _snapshot() private {
        delete _before;
        for (uint256 p; p < PROVIDERS; ++p) {
            _before.push(staking.slashableStake(providers[p]));
            _before.push(_sum(staking.unstakings(providers[p])));
        }
        for (uint256 i; i < DELEGATORS; ++i) {
            for (uint256 p; p < PROVIDERS; ++p) {
                (, uint96 worth) = staking.delegation(providers[p], delegators[i]);
                _before.push(worth);
                _before.push(_sum(staking.undelegations(providers[p], delegators[i])));
            }
        }
    }

    /// @dev R24: what somebody else does never takes a wei of anyone's. A reward may add.
    function _othersKept(address actor) private view {
        uint256 k;
        for (uint256 p; p < PROVIDERS; ++p) {
            if (providers[p] == actor) {
                k += 2;
                continue;
            }
            _assertEq(staking.slashableStake(providers[p]), _before[k++], "another's own stake");
            _assertEq(_sum(staking.unstakings(providers[p])), _before[k++], "another's unstakings");
        }
        for (uint256 i; i < DELEGATORS; ++i) {
            for (uint256 p; p < PROVIDERS; ++p) {
                if (delegators[i] == actor) {
                    k += 2;
                    continue;
                }
                (, uint96 worth) = staking.delegation(providers[p], delegators[i]);
                _assertLe(_before[k++], worth, "another's delegation");
                _assertLe(_before[k++], _sum(staking.undelegations(providers[p], delegators[i])), "another's exit");
            }
        }
    }
}
