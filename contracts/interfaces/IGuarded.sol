// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IGoverned} from "./IGoverned.sol";

/// @title IGuarded: a guardian can stop new activity for a while, and never an exit
interface IGuarded is IGoverned {
    error OnlyGuardian(address caller);
    error Paused(uint256 until);
    error PauseTooLong(uint256 until, uint256 most);

    event GuardianChanged(address indexed guardian);
    event PauseChanged(uint40 until);

    /// @notice Governance: name the guardian; zero for none.
    function setGuardian(address guardian) external;

    /// @notice Guardian or governance: refuse new activity until `until`, at most 7 days ahead. The past ends the
    /// pause.
    function pause(uint40 until) external;

    function guardian() external view returns (address);
    function pausedUntil() external view returns (uint40);
}
