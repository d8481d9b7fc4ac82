// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {Campaign} from "./Campaign.sol";

/// @title Tokens and rewards: nothing appears or vanishes but by the schedule and by burning
contract TokensTest is Campaign {
    uint256 private _earnedBefore;
    uint256 private _mintedBefore;
    mapping(uint64 epoch => uint256) private _budgetOf;

    function look() external override {
        _seeRewards31();
        _seeRewards32();
    }

    /// @notice 1: the balances of everybody who can hold tokens add up to the supply.
    function invariant_01_token__balances__sum_to_the_supply() public view {
        uint256 sum = token.balanceOf(address(stage)) + token.balanceOf(address(escrow));
        sum += token.balanceOf(address(staking)) + token.balanceOf(address(committee));
        sum += token.balanceOf(address(rewards)) + token.balanceOf(address(court));
        for (uint256 i; i < 13; ++i) {
            sum += token.balanceOf(_everybody(i));
        }
        _assertEq(sum, token.totalSupply(), "holders and supply");
    }

    /// @notice 2: the supply stays below the cap, and what was minted below the schedule of all epochs so far.
    function invariant_02_token__minted__stays_within_the_schedule() public view {
        _assertLe(token.totalSupply(), token.cap(), "supply and cap");
        uint256 scheduled = uint256(rewards.epoch() + 1) * 0.5 ether;
        uint256 minted = shadow.minted() - stage.GENESIS();
        _assertLe(minted, scheduled, "minted and scheduled");
        _assertLe(minted, rewards.hardCap(), "minted and hard cap");
    }

    /// @notice 3: only the rewards contract minted, and it says how much.
    function invariant_03_token__minted__is_what_the_minter_says() public view {
        (, uint96 minted) = rewards.totals();
        _assertEq(shadow.minted(), stage.GENESIS() + minted, "minted");
        _assertEq(token.totalSupply(), shadow.minted() - shadow.burned(), "supply is minted less burned");
    }

    /// @notice 4: a permit uses one nonce, and works once.
    function invariant_04_token__permit_nonces__count_the_permits() public view {
        _holds(4);
        for (uint256 i; i < 8; ++i) {
            _assertEq(token.nonces(book.people(i)), money.permits(book.people(i)), "nonces");
        }
    }

    /// @notice 14: a claim pays what it said before, and a second one nothing.
    function invariant_14_rewards__second_claim__pays_nothing() public view {
        _holds(14);
    }

    /// @notice 27 (R60): no provider earns more than beta of its own burn, nor more than its share of the schedule.
    function invariant_27_rewards__earned__is_within_both_bounds() public view {
        _holds(27);
        _assertLe(shadow.earnedEver() * 10, shadow.accruedEver() * 9, "earned by all and burned by all");
    }

    /// @notice 28: an epoch pays at most its budget.
    function invariant_28_rewards__an_epoch__pays_at_most_its_budget() public view {
        _holds(28);
    }

    /// @notice 31: an epoch's terms are fixed by its first burn, and it pays a provider once, after its end.
    function invariant_31_rewards__an_epoch__closes_once() public view {
        _holds(0);
        _holds(31);
    }

    /// @notice 32 (R62): minted <= earned <= hard cap, and neither ever falls.
    function invariant_32_rewards__minted__is_within_earned_within_the_cap() public view {
        _holds(0);
    }

    /// @notice 16: who burns, stakes and delegates nothing earns nothing.
    function invariant_16_rewards__without_work_or_stake__nothing_is_earned() public view {
        address stranger = book.stranger();
        _assertEq(rewards.claimable(stranger), 0, "claimable by a stranger");
        _assertEq(staking.awardOf(stranger), 0, "awarded to a stranger");
        _assertEq(escrow.balanceOf(stranger), 0, "credited to a stranger");
        _assertEq(token.balanceOf(stranger), 20_000 ether, "a stranger's wallet");
    }

    function _seeRewards31() private {
        uint64 epoch = shadow.lastEpoch();
        if (rewards.burnedIn(epoch) == 0) return;
        uint256 budget = uint256(rewards.budgetOf(epoch)) + 1;
        _assertTrue(_budgetOf[epoch] == 0 || _budgetOf[epoch] == budget, "the budget of an epoch changed");
        _budgetOf[epoch] = budget;
        _assertEq(rewards.burnedIn(epoch), shadow.burnedIn(epoch), "burned in the epoch");
    }

    function _seeRewards32() private {
        (uint96 earned, uint96 minted) = rewards.totals();
        _assertLe(minted, earned, "minted and earned");
        _assertLe(earned, rewards.hardCap(), "earned and hard cap");
        _assertLe(_earnedBefore, earned, "earned fell");
        _assertLe(_mintedBefore, minted, "minted fell");
        _assertEq(earned, shadow.earnedEver(), "earned and its events");
        (_earnedBefore, _mintedBefore) = (earned, minted);
    }
}
