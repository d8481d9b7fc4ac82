// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IGoverned} from "../interfaces/IGoverned.sol";

/// @title Governed: parameters that only the timelock changes
abstract contract Governed is IGoverned {
    /// @inheritdoc IGoverned
    address public immutable governor;

    constructor(address governor_) {
        if (governor_ == address(0)) revert NotWiredTo(governor_);
        governor = governor_;
    }

    function _requireGovernor() internal view {
        if (msg.sender != governor) revert OnlyGovernor(msg.sender);
    }

    function _requireBounds(string memory parameter, uint256 value, uint256 least, uint256 most) internal pure {
        if (value < least || value > most) revert ParameterOutOfBounds(parameter, value, least, most);
    }
}
