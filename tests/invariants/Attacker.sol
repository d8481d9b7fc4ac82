// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

/// @title A contract that calls whatever it is told, and calls again whenever somebody calls it
/// @dev It plays a requester, a provider and a delegator. Ether, a token hook or any other call that reaches it makes
/// it repeat its last attack from inside: none of our contracts may ever give it the chance.
contract Attacker {
    /// @notice How often anything called it.
    uint256 public callbacks;
    address private _target;
    bytes private _attack;

    receive() external payable {
        _again();
    }

    fallback() external payable {
        _again();
    }

    function attack(address target, bytes calldata data) external returns (bool done, bytes memory answer) {
        _target = target;
        _attack = data;
        (done, answer) = target.call(data);
    }

    function _again() private {
        ++callbacks;
        // Whether it works is for the ledgers to see.
        (bool done,) = _target.call(_attack);
        done;
    }
}
