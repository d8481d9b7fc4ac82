// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {IGoverned} from "./interfaces/IGoverned.sol";
import {IStaking} from "./interfaces/IStaking.sol";

/// @title MallaTimelock: what every governed contract obeys, and how long everybody is warned before it acts
/// @notice OpenZeppelin's timelock without an administrator. Its delay is never shorter than the unstake delay, so
/// whoever dislikes a change can take its stake out before the change is there.
/// @dev Roles are as its constructor sets them: the governor proposes and cancels, anybody executes (the zero address).
/// Only the timelock itself, which is a vote, could change them.
contract MallaTimelock is TimelockController {
    uint256 private constant MOST_DELAY = 60 days;

    /// @notice The contract whose unstake delay this delay outlasts; it refuses an unstake delay above this delay.
    IStaking public immutable staking;

    /// @param minDelay Seconds between queueing and execution.
    /// @param proposers The governor alone; it may also cancel.
    /// @param executors The zero address: a change that was voted is carried out by whoever comes.
    constructor(uint256 minDelay, address[] memory proposers, address[] memory executors, IStaking staking_)
        TimelockController(minDelay, proposers, executors, address(0))
    {
        staking = staking_;
        _requireDelay(minDelay, staking_);
    }

    /// @notice The timelock itself, by a vote: at least the unstake delay of today, at most 60 days.
    function updateDelay(uint256 newDelay) public override {
        _requireDelay(newDelay, staking);
        super.updateDelay(newDelay);
    }

    function _requireDelay(uint256 delay, IStaking staking_) private view {
        uint256 least = staking_.unstakeDelay();
        if (delay < least || delay > MOST_DELAY) {
            revert IGoverned.ParameterOutOfBounds("minDelay", delay, least, MOST_DELAY);
        }
    }
}
