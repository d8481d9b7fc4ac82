// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {Book} from "./Book.sol";
import {Moves} from "./Moves.sol";
import {Shadow} from "./Shadow.sol";

/// @title Own stakes, delegations, node keys and awards
contract StakeMoves is Moves {
    uint256 private _keys = 2_000;

    constructor(Book book_, Shadow shadow_) Moves(book_, shadow_) {}

    function stake(uint256 who, uint256 amount) external told {
        vm.prank(_provider(who));
        staking.stake(uint96(_bound(amount, 1, 300 ether)));
    }

    function unstake(uint256 who, uint256 amount) external told {
        address provider = _provider(who);
        uint96 active = staking.activeStake(provider);
        uint256 slashable = staking.slashableStake(provider);
        amount = _bound(amount, 1, active / 6);
        vm.prank(provider);
        staking.unstake(uint96(amount));
        shadow.note(11, staking.slashableStake(provider) == slashable, "unstaking lowered what can be slashed");
        IStaking.Unstaking[] memory list = staking.unstakings(provider);
        bool waits;
        for (uint256 i; i < list.length; ++i) {
            waits = waits || list[i].releaseAt == block.timestamp + staking.unstakeDelay();
        }
        shadow.note(9, waits, "no unstaking waits for the whole delay");
    }

    function withdraw(uint256 who) external told {
        address provider = _provider(who);
        uint256 due = _due(staking.unstakings(provider));
        for (uint256 i = 1; due == 0 && i < 3; ++i) {
            provider = _provider(who % 3 + i);
            due = _due(staking.unstakings(provider));
        }
        uint256 wallet = token.balanceOf(provider);
        vm.prank(provider);
        uint96 amount = staking.withdraw();
        // Each line of the list is rounded down, the sum of them once.
        shadow.note(9, amount <= due + 16, "withdrew more than was due");
        shadow.note(12, amount >= due, "withdrew less than was due");
        shadow.note(9, token.balanceOf(provider) == wallet + amount, "withdrew something else");
    }

    function delegate(uint256 who, uint256 toWhom, uint256 amount) external told {
        (address delegator, address provider) = (_delegator(who), _provider(toWhom));
        (, uint96 before) = staking.delegation(provider, delegator);
        amount = _bound(amount, 1 ether, 100 ether);
        vm.prank(delegator);
        staking.delegate(provider, uint96(amount));
        (, uint96 worth) = staking.delegation(provider, delegator);
        // Rewards of the past are paid into the pool first, so its earlier part may be worth more.
        shadow.note(12, worth + amount / 1e6 + 1 >= before + amount, "a delegator lost more than a millionth");
    }

    function undelegate(uint256 who, uint256 toWhom, uint256 share) external told {
        (address delegator, address provider) = (_delegator(who), _provider(toWhom));
        (uint128 shares, uint96 worth) = staking.delegation(provider, delegator);
        for (uint256 i = 1; shares == 0 && i < 9; ++i) {
            (delegator, provider) = (_delegator(who % 3 + i), _provider(toWhom % 3 + i / 3));
            (shares, worth) = staking.delegation(provider, delegator);
        }
        share = _bound(share, 1, shares);
        vm.prank(delegator);
        staking.undelegate(provider, uint128(share));
        (, uint96 left) = staking.delegation(provider, delegator);
        shadow.note(12, left <= worth, "undelegating made what is left worth more");
    }

    function withdrawDelegation(uint256 who, uint256 toWhom) external told {
        (address delegator, address provider) = (_delegator(who), _provider(toWhom));
        uint256 due = _due(staking.undelegations(provider, delegator));
        for (uint256 i = 1; due == 0 && i < 9; ++i) {
            (delegator, provider) = (_delegator(i), _provider(i / 3));
            due = _due(staking.undelegations(provider, delegator));
        }
        vm.prank(delegator);
        uint96 amount = staking.withdrawDelegation(provider);
        shadow.note(9, amount <= due + 16, "withdrew more delegation than was due");
        shadow.note(12, amount >= due, "withdrew less delegation than was due");
    }

    function setCommission(uint256 who, uint256 bps) external told {
        vm.prank(_provider(who));
        staking.setCommission(uint16(_bound(bps, 0, 5_000)));
    }

    function rotateNodeKey(uint256 who) external told {
        address provider = _provider(who);
        stage.know(++_keys);
        bytes memory signature = stage.consent(provider, _keys);
        address node = vm.addr(_keys);
        vm.prank(provider);
        staking.rotateNodeKey(node, bytes32(uint256(1)), signature);
    }

    function claimAward(uint256 who) external told {
        address account = _person(who);
        uint256 award = staking.awardOf(account);
        for (uint256 i = 1; award == 0 && i < 7; ++i) {
            account = _person(who % 7 + i);
            award = staking.awardOf(account);
        }
        vm.prank(account);
        uint96 amount = staking.claimAward();
        shadow.note(14, amount == award && staking.awardOf(account) == 0, "an award paid something else");
    }

    function burnCondemned() external told {
        vm.prank(book.stranger());
        staking.burnCondemned();
    }

    function claimReward(uint256 who) external told {
        address provider = _provider(who);
        uint96 claimable = rewards.claimable(provider);
        for (uint256 i = 1; claimable == 0 && i < 3; ++i) {
            provider = _provider(who % 3 + i);
            claimable = rewards.claimable(provider);
        }
        vm.prank(book.stranger());
        uint96 amount = rewards.claim(provider);
        shadow.note(14, amount == claimable, "a claim paid something else");
        shadow.note(14, rewards.claimable(provider) == 0, "a second claim would pay again");
        try rewards.claim(provider) {
            shadow.note(14, false, "a reward was claimed twice");
        } catch {}
    }

    function _due(IStaking.Unstaking[] memory list) private view returns (uint256 sum) {
        for (uint256 i; i < list.length; ++i) {
            if (list[i].releaseAt <= block.timestamp) sum += list[i].amount;
        }
    }
}
