// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {Campaign} from "./Campaign.sol";

/// @title Stakes: solvent, slashed exactly, never early
contract StakesTest is Campaign {
    mapping(address provider => uint256) private _tokens;
    mapping(address provider => uint256) private _shares;
    mapping(address provider => uint256) private _slashes;

    function look() external override {
        _seeStaking1315();
    }

    /// @notice 6 (R50): own stakes, unstaking, delegated and undelegating, condemned and awarded are the tokens it
    /// holds.
    function invariant_06_staking__parts__sum_to_its_tokens() public view {
        uint256 sum = staking.condemned() + shadow.donated(address(staking));
        for (uint256 i; i < 3; ++i) {
            address provider = book.providers(i);
            (uint96 delegated,, uint96 undelegating) = staking.delegationPool(provider);
            sum += uint256(staking.slashableStake(provider)) + delegated + undelegating;
        }
        for (uint256 i; i < 13; ++i) {
            sum += staking.awardOf(_everybody(i));
        }
        sum += staking.awardOf(address(court));
        _assertEq(token.balanceOf(address(staking)), sum, "parts and tokens");
    }

    /// @notice 7: a slash lowers its provider only, and by no more than it can lose.
    function invariant_07_staking__slash__hits_the_offender_only() public view {
        _holds(7);
        for (uint256 i; i < 3; ++i) {
            address provider = book.providers(i);
            _assertEq(uint256(shadow.active(provider)), staking.activeStake(provider), "active and its events");
        }
    }

    /// @notice 8: slashed + left = before.
    function invariant_08_staking__slashed_and_left__are_what_was_there() public view {
        _holds(8);
        for (uint256 i; i < 3; ++i) {
            address provider = book.providers(i);
            int256 own = shadow.active(provider) + shadow.unstaking(provider);
            _assertEq(uint256(own), staking.slashableStake(provider), "own stake and its events");
        }
    }

    /// @notice 9 (R51): nothing is withdrawn before its delay is over, and every unstaking gets the whole delay.
    function invariant_09_staking__withdrawal__never_early() public view {
        _holds(9);
    }

    /// @notice 11 (R51): what is on its way out loses its share in every slash, until it is withdrawn.
    function invariant_11_staking__unstaking__stays_slashable() public view {
        _holds(11);
        for (uint256 i; i < 3; ++i) {
            address provider = book.providers(i);
            _assertEq(
                uint256(shadow.unstaking(provider)), staking.provider(provider).unstaking, "unstaking and its events"
            );
        }
    }

    /// @notice 12 (R52): rounding never costs the pool: what all shares are worth is at most what is there.
    function invariant_12_staking__rounding__never_costs_the_pool() public view {
        _holds(12);
        for (uint256 i; i < 3; ++i) {
            address provider = book.providers(i);
            (uint96 tokens,, uint96 undelegating) = staking.delegationPool(provider);
            uint256 worth;
            uint256 due;
            for (uint256 j; j < 3; ++j) {
                (, uint96 its) = staking.delegation(provider, book.delegators(j));
                worth += its;
                due += _sumOf(staking.undelegations(provider, book.delegators(j)));
            }
            _assertLe(worth, tokens, "delegations and pool");
            _assertLe(due, undelegating, "undelegations and pool");
            _assertLe(_sumOf(staking.unstakings(provider)), staking.provider(provider).unstaking, "unstakings and pool");
        }
    }

    /// @notice 13, 15 (R52): the price of a delegator's share never falls but by a slash.
    function invariant_13_15_staking__share_price__never_falls_but_by_a_slash() public view {
        _holds(0);
    }

    /// @notice 50: the events alone rebuild every stake, delegation and award.
    function invariant_50_staking__events__rebuild_the_books() public view {
        _assertEq(uint256(shadow.condemned()), staking.condemned(), "condemned");
        for (uint256 i; i < 3; ++i) {
            address provider = book.providers(i);
            (uint96 delegated,, uint96 undelegating) = staking.delegationPool(provider);
            _assertEq(uint256(shadow.delegated(provider)), delegated, "delegated");
            _assertEq(uint256(shadow.undelegating(provider)), undelegating, "undelegating");
        }
        for (uint256 i; i < 13; ++i) {
            _assertEq(uint256(shadow.awards(_everybody(i))), staking.awardOf(_everybody(i)), "award");
        }
    }

    function _sumOf(IStaking.Unstaking[] memory list) private pure returns (uint256 sum) {
        for (uint256 i; i < list.length; ++i) {
            sum += list[i].amount;
        }
    }

    function _seeStaking1315() private {
        for (uint256 i; i < 3; ++i) {
            address provider = book.providers(i);
            (uint96 tokens, uint128 shares,) = staking.delegationPool(provider);
            (uint256 price, uint256 unit) = (uint256(tokens) + 1, uint256(shares) + 1e6);
            if (_shares[provider] != 0 && _slashes[provider] == shadow.slashes(provider)) {
                _assertLe(_tokens[provider] * unit, price * _shares[provider], "share price");
            }
            (_tokens[provider], _shares[provider]) = (price, unit);
            _slashes[provider] = shadow.slashes(provider);
        }
    }
}
