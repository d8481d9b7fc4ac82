// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {Attacker} from "./Attacker.sol";
import {AttackCalls} from "./AttackCalls.sol";
import {Book} from "./Book.sol";
import {Moves} from "./Moves.sol";
import {Shadow} from "./Shadow.sol";

/// @title A contract that calls every function with everybody's preimages
/// @dev Rule A10: whoever calls, nobody else is worse off. What governance and a quorum may do is not among the calls;
/// what anybody may do after them is, and then the provider that they found against, and its delegators, may lose
/// stake.
contract AttackMoves is Moves {
    AttackCalls private immutable _calls;

    constructor(Book book_, Shadow shadow_, AttackCalls calls) Moves(book_, shadow_) {
        _calls = calls;
    }

    /// @notice What anybody may call at any time, with somebody's preimage.
    function meddle(uint256 which, uint256 seed) external told {
        _try(_calls.open(which, seed), true);
    }

    /// @notice What only a certain party may call: it must fail, whoever's preimage it carries.
    function intrude(uint256 which, uint256 seed) external told {
        (address target, bytes memory data) = _calls.closed(which, seed);
        (bool done,) = Attacker(payable(book.attacker())).attack(target, data);
        shadow.note(42, !done, "a call that belongs to somebody else worked");
        shadow.note(47, Attacker(payable(book.attacker())).callbacks() == 0, "somebody called a stranger back");
    }

    /// @notice What everybody does for itself, done by the attacker for itself.
    function meddleForItself(uint256 which, uint256 seed) external told {
        _try(_calls.own(which, seed), false);
    }

    function _try(AttackCalls.Call memory its, bool mustWork) private {
        uint256 count = 8 + 5;
        AttackCalls.Wealth[] memory before = new AttackCalls.Wealth[](count);
        for (uint256 i; i < count; ++i) {
            before[i] = _calls.wealthOf(_everybody(i));
        }
        (bool done,) = Attacker(payable(book.attacker())).attack(its.target, its.data);
        if (!done && mustWork) revert Book.NothingToPick();
        for (uint256 i; i < count; ++i) {
            address whose = _everybody(i);
            if (whose == book.attacker()) continue;
            bool isExempt = its.condemned != address(0);
            shadow.note(23, _calls.isNotWorse(whose, before[i], its.condemned), "a stranger worsened somebody");
        }
        shadow.note(47, Attacker(payable(book.attacker())).callbacks() == 0, "somebody called a stranger back");
    }

    function _everybody(uint256 place) private view returns (address) {
        return place < 8 ? book.people(place) : stage.oracles(place - 8);
    }
}
