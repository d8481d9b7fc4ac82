// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IGuarded} from "../interfaces/IGuarded.sol";
import {Governed} from "./Governed.sol";

/// @title Guarded: a guardian can stop new activity for a while, and never an exit
/// @dev The pause ends by itself. A guardian that pauses again and again is seen by everybody and replaced by
/// governance; whatever it does, everything that was begun goes its way.
abstract contract Guarded is Governed, IGuarded {
    uint256 private constant LONGEST_PAUSE = 7 days;

    /// @inheritdoc IGuarded
    address public guardian;
    /// @inheritdoc IGuarded
    uint40 public pausedUntil;

    constructor(address guardian_) {
        _setGuardian(guardian_);
    }

    /// @inheritdoc IGuarded
    function setGuardian(address guardian_) external {
        _requireGovernor();
        _setGuardian(guardian_);
    }

    /// @inheritdoc IGuarded
    function pause(uint40 until) external {
        if (msg.sender != guardian && msg.sender != governor) revert OnlyGuardian(msg.sender);
        uint256 most = block.timestamp + LONGEST_PAUSE;
        if (until > most) revert PauseTooLong(until, most);
        pausedUntil = until;
        emit PauseChanged(until);
    }

    function _requireNotPaused() internal view {
        if (block.timestamp < pausedUntil) revert Paused(pausedUntil);
    }

    function _setGuardian(address guardian_) private {
        guardian = guardian_;
        emit GuardianChanged(guardian_);
    }
}
