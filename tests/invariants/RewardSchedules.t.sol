// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {RewardStage} from "./RewardStage.sol";

/// @title Burns, gaps, claims and changes of beta in any order, held against an eager ledger
/// @dev R60 to R63. The ledger keeps every burn of every epoch and computes each reward anew by the other form of the
/// rule: it decides once an epoch, as fractions, which side of the minimum binds. Nothing of it is lazy or packed.
contract RewardSchedulesTest is RewardStage {
    uint256 private constant PEOPLE = 4;

    struct EpochLedger {
        uint256 total;
        uint256 budget;
        uint256 betaBps;
    }

    uint256 private _seed;
    uint256 private _now = 1_000_000;
    uint256 private _start;
    uint256 private _betaBps;
    IRewards.Schedule private _terms;
    uint256[] private _epochs;
    mapping(uint256 epoch => EpochLedger) private _ledger;
    mapping(uint256 epoch => mapping(uint256 who => uint256)) private _burned;
    mapping(uint256 who => uint256) private _paid;

    function testFuzz_rewards__of_any_schedule__are_those_of_the_eager_ledger(uint256 seed) external {
        _seed = seed;
        _begin();
        uint256 steps = 6 + _random(26);
        for (uint256 n; n < steps; ++n) {
            uint256 move = _random(10);
            if (move < 5) _accrue();
            else if (move < 8) _pass(_random(_random(3) == 0 ? 40 * _terms.epochLength : 2 * _terms.epochLength));
            else if (move == 8) _settle(_random(PEOPLE));
            else _change();
            _check();
        }
        _pass(_terms.epochLength);
        for (uint256 who; who < PEOPLE; ++who) {
            _settle(who);
        }
        _check();
        _checkEnd();
    }

    function _begin() private {
        vm.warp(_now);
        _start = _now;
        _terms.epochLength = uint32(60 + _random(2) * _random(1e6));
        _terms.hardCap = uint96(_random(2) == 0 ? _random(1e6) : _random(9e8 ether));
        _terms.firstBudget = uint96(_random(uint256(_terms.hardCap) + 1) / (1 + _random(2) * _random(1e6)));
        _terms.halvingEpochs = uint32(_random(3) == 0 ? 1 : 1 + _random(20));
        _betaBps = _random(4) == 0 ? 9_000 : _random(9_001);
        _deploy(_terms, uint16(_betaBps));
    }

    function _accrue() private {
        (uint256 epoch, uint256 who, uint96 amount) = (_epoch(), _random(PEOPLE), _amount());
        _rewards.accrue(_account(who), amount);
        if (amount == 0) return;
        EpochLedger storage its = _ledger[epoch];
        if (its.total == 0) {
            uint256 left = _terms.hardCap;
            for (uint256 i; i < _epochs.length; ++i) {
                left -= _setAside(_epochs[i]);
            }
            its.budget = _terms.firstBudget;
            for (uint256 halvings = epoch / _terms.halvingEpochs; halvings != 0 && its.budget != 0; --halvings) {
                its.budget /= 2;
            }
            if (its.budget > left) its.budget = left;
            its.betaBps = _betaBps;
            _epochs.push(epoch);
        }
        uint256 room = type(uint96).max - its.total;
        uint256 counted = amount < room ? amount : room;
        its.total += counted;
        _burned[epoch][who] += counted;
    }

    function _settle(uint256 who) private {
        uint256 due = _due(who);
        address account = _account(who);
        _staking.set(uint16(_random(5_001)), _amount(), _random(2) == 0 ? 0 : _amount());
        uint256 before = _token.balanceOf(account) + _staking.pool(account);
        _assertEq(_rewards.settleRewards(account), due, "said to be paid");
        _assertEq(_token.balanceOf(account) + _staking.pool(account) - before, due, "paid");
        _paid[who] += due;
    }

    function _change() private {
        _betaBps = _random(9_001);
        _rewards.setBeta(uint16(_betaBps));
    }

    function _pass(uint256 duration) private {
        _now += duration;
        vm.warp(_now);
    }

    function _check() private view {
        _assertEq(_rewards.epoch(), _epoch(), "epoch");
        uint256 given;
        for (uint256 who; who < PEOPLE; ++who) {
            _assertEq(_rewards.claimable(_account(who)), _due(who), "claimable");
            given += _paid[who];
        }
        (uint96 earned, uint96 minted) = _rewards.totals();
        _assertLe(minted, earned, "minted what nobody earned");
        _assertLe(earned, _terms.hardCap, "over the cap");
        _assertEq(_token.totalSupply(), GENESIS + minted, "minted what it does not say");
        _assertEq(_token.balanceOf(address(_rewards)), minted - given, "holds other than what is unpaid");
        for (uint256 i; i < _epochs.length; ++i) {
            _assertEq(_rewards.budgetOf(uint64(_epochs[i])), _ledger[_epochs[i]].budget, "budget");
            _assertEq(_rewards.burnedIn(uint64(_epochs[i])), _ledger[_epochs[i]].total, "burned");
        }
    }

    function _checkEnd() private view {
        uint256 all;
        uint256 burned;
        for (uint256 i; i < _epochs.length; ++i) {
            uint256 sum;
            for (uint256 who; who < PEOPLE; ++who) {
                sum += _reward(_epochs[i], who);
            }
            _assertLe(sum, _setAside(_epochs[i]), "over the rate of the epoch");
            _assertLe(_setAside(_epochs[i]), sum + PEOPLE - 1, "more dust than a wei each");
            all += sum;
            burned += _ledger[_epochs[i]].total;
        }
        (uint96 earned,) = _rewards.totals();
        _assertEq(earned, all, "earned");
        _assertLe(10 * all, 9 * burned, "hiring oneself paid");
    }

    function _random(uint256 below) private returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return below == 0 ? 0 : _seed % below;
    }

    /// @dev Dust, everything that fits, and every size between.
    function _amount() private returns (uint96) {
        uint256 kind = _random(8);
        if (kind == 0) return uint96(_random(3));
        if (kind == 1) return type(uint96).max;
        return uint96(_random(uint256(1) << (1 + _random(96))));
    }

    function _epoch() private view returns (uint256) {
        return (_now - _start) / _terms.epochLength;
    }

    function _due(uint256 who) private view returns (uint256 due) {
        for (uint256 i; i < _epochs.length; ++i) {
            if (_epochs[i] < _epoch()) due += _reward(_epochs[i], who);
        }
        due -= _paid[who];
    }

    function _reward(uint256 epoch, uint256 who) private view returns (uint256) {
        EpochLedger memory its = _ledger[epoch];
        if (its.budget * 10_000 > its.betaBps * its.total) return its.betaBps * _burned[epoch][who] / 10_000;
        return its.budget * _burned[epoch][who] / its.total;
    }

    function _setAside(uint256 epoch) private view returns (uint256) {
        EpochLedger memory its = _ledger[epoch];
        uint256 most = its.betaBps * its.total / 10_000;
        return its.budget < most ? its.budget : most;
    }

    function _account(uint256 who) private pure returns (address) {
        return address(uint160(0xA000 + who));
    }
}
