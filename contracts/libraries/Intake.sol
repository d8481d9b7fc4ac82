// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IMallaToken} from "../interfaces/IMallaToken.sol";

/// @title Intake: the one way in which tokens come into a contract of ours
/// @dev `MallaToken` moves what it is asked to move. Should these contracts ever be deployed with a token that does not
/// (a fee on transfers, a hook, a rebase), they refuse it instead of owing what they never received.
library Intake {
    using SafeERC20 for IMallaToken;

    error ReceivedOtherAmount(uint256 received, uint256 asked);

    /// @notice Take `amount` of the caller's tokens; reverts unless exactly that arrives.
    function pull(IMallaToken token, uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 held = token.balanceOf(address(this));
        if (held != before + amount) revert ReceivedOtherAmount(held > before ? held - before : 0, amount);
    }
}
