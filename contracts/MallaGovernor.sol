// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {GovernorCountingSimple} from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import {GovernorPreventLateQuorum} from "@openzeppelin/contracts/governance/extensions/GovernorPreventLateQuorum.sol";
import {GovernorSettings} from "@openzeppelin/contracts/governance/extensions/GovernorSettings.sol";
import {GovernorTimelockControl} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {
    GovernorVotesQuorumFraction
} from "@openzeppelin/contracts/governance/extensions/GovernorVotesQuorumFraction.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {IGoverned} from "./interfaces/IGoverned.sol";

/// @title MallaGovernor: holders of the token propose, vote, queue and execute changes of parameters
/// @notice OpenZeppelin's parts, put together. Votes are those that a holder had delegated (to itself or to another)
/// when the vote began, so tokens that were borrowed or bought afterwards count nothing, and staked ones never. Times
/// are unix seconds, as the token counts them. Every setting has hard bounds, which no vote crosses.
contract MallaGovernor is
    Governor,
    GovernorSettings,
    GovernorCountingSimple,
    GovernorVotes,
    GovernorVotesQuorumFraction,
    GovernorTimelockControl,
    GovernorPreventLateQuorum
{
    /// @param votingDelay Seconds from a proposal to the moment whose votes count, 10 s to 14 days.
    /// @param votingPeriod Seconds in which votes are cast, 1 minute to 30 days.
    /// @param proposalThreshold Votes that a proposer needs, 1 to 10,000,000 tokens in wei.
    /// @param quorumPercent Share of the supply that must vote for it or abstain, 1 to 50.
    /// @param voteExtension Least seconds that are left to vote when the quorum is reached, 10 s to one voting period.
    struct Settings {
        uint48 votingDelay;
        uint32 votingPeriod;
        uint256 proposalThreshold;
        uint256 quorumPercent;
        uint48 voteExtension;
    }

    /// @notice Every governed contract names one timelock for good, so the governor does too.
    error TimelockIsFixed(address timelock);

    constructor(IVotes token, TimelockController timelock, Settings memory settings)
        Governor("MallaGovernor")
        GovernorSettings(settings.votingDelay, settings.votingPeriod, settings.proposalThreshold)
        GovernorVotes(token)
        GovernorVotesQuorumFraction(settings.quorumPercent)
        GovernorTimelockControl(timelock)
        GovernorPreventLateQuorum(settings.voteExtension)
    {}

    /// @notice Refused, also after a vote.
    function updateTimelock(TimelockController) public view override {
        revert TimelockIsFixed(timelock());
    }

    /// @inheritdoc Governor
    function state(uint256 proposalId) public view override(Governor, GovernorTimelockControl) returns (ProposalState) {
        return super.state(proposalId);
    }

    /// @inheritdoc Governor
    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    /// @inheritdoc Governor
    function proposalDeadline(uint256 proposalId)
        public
        view
        override(Governor, GovernorPreventLateQuorum)
        returns (uint256)
    {
        return super.proposalDeadline(proposalId);
    }

    /// @inheritdoc Governor
    function proposalNeedsQueuing(uint256 proposalId)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (bool)
    {
        return super.proposalNeedsQueuing(proposalId);
    }

    function _setVotingDelay(uint48 value) internal override {
        _requireBounds("votingDelay", value, 10, 14 days);
        super._setVotingDelay(value);
    }

    function _setVotingPeriod(uint32 value) internal override {
        _requireBounds("votingPeriod", value, 1 minutes, 30 days);
        super._setVotingPeriod(value);
    }

    function _setProposalThreshold(uint256 value) internal override {
        _requireBounds("proposalThreshold", value, 1 ether, 1e7 ether);
        super._setProposalThreshold(value);
    }

    function _updateQuorumNumerator(uint256 value) internal override {
        _requireBounds("quorumNumerator", value, 1, 50);
        super._updateQuorumNumerator(value);
    }

    function _setLateQuorumVoteExtension(uint48 value) internal override {
        _requireBounds("lateQuorumVoteExtension", value, 10, votingPeriod());
        super._setLateQuorumVoteExtension(value);
    }

    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint48) {
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) {
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint256) {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    function _tallyUpdated(uint256 proposalId) internal override(Governor, GovernorPreventLateQuorum) {
        super._tallyUpdated(proposalId);
    }

    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }

    function _requireBounds(string memory setting, uint256 value, uint256 least, uint256 most) private pure {
        if (value < least || value > most) revert IGoverned.ParameterOutOfBounds(setting, value, least, most);
    }
}
