// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {MallaGovernor} from "../../contracts/MallaGovernor.sol";
import {MallaTimelock} from "../../contracts/MallaTimelock.sol";
import {MallaToken} from "../../contracts/MallaToken.sol";
import {IGoverned} from "../../contracts/interfaces/IGoverned.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {Base} from "./Base.sol";

/// @notice What the timelock asks of the staking contract.
contract StakingDelay {
    uint32 public unstakeDelay = 1 days;
}

/// @title GovernanceTest: votes and their bounds, where one voter has everything
contract GovernanceTest is Base {
    uint256 private constant DELAY = 2 days;
    uint256 private constant MOST_DELAY = 60 days;
    uint8 private constant FOR = 1;

    MallaToken private _token;
    MallaTimelock private _timelock;
    MallaGovernor private _governor;
    IStaking private _staking;

    function setUp() public {
        vm.warp(1_000_000);
        IMallaToken.Allocation[] memory genesis = new IMallaToken.Allocation[](1);
        genesis[0] = IMallaToken.Allocation(address(this), 1e8 ether);
        _token = new MallaToken(genesis, address(1));
        _staking = IStaking(address(new StakingDelay()));
        // The fourth contract that this one creates: keccak256(rlp([this, 4])).
        bytes32 digest = keccak256(abi.encodePacked(bytes2(0xd694), address(this), bytes1(0x04)));
        _timelock = _newTimelock(address(uint160(uint256(digest))), DELAY);
        _governor =
            new MallaGovernor(_token, _timelock, MallaGovernor.Settings(1 hours, 1 days, 1_000 ether, 4, 2 hours));
        _token.delegate(address(this));
        vm.warp(1_000_001);
    }

    /// @notice R67: the timelock begins inside the bounds that it keeps.
    function test_timelock__of_a_delay_out_of_bounds__is_refused() public {
        _expectBounds("minDelay", 1 days - 1, 1 days, MOST_DELAY);
        _newTimelock(address(this), 1 days - 1);
        _expectBounds("minDelay", MOST_DELAY + 1, 1 days, MOST_DELAY);
        _newTimelock(address(this), MOST_DELAY + 1);
        _assertEq(_newTimelock(address(this), 1 days).getMinDelay(), 1 days, "least");
        _assertEq(_newTimelock(address(this), MOST_DELAY).getMinDelay(), MOST_DELAY, "most");
    }

    /// @notice R65: only the timelock itself, which is a vote, changes its delay.
    function test_updateDelay__by_anybody__is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(TimelockController.TimelockUnauthorizedCaller.selector, address(this)));
        _timelock.updateDelay(DELAY);
    }

    /// @notice R67: whatever is voted, the delay outlasts the unstake delay.
    function test_updateDelay__of_any_value__stays_in_bounds(uint256 value) public {
        value = _bound(value, 0, 2 * MOST_DELAY);
        bool allowed = value >= 1 days && value <= MOST_DELAY;
        _settle(
            address(_timelock),
            abi.encodeCall(_timelock.updateDelay, (value)),
            !allowed,
            "minDelay",
            value,
            1 days,
            MOST_DELAY
        );
        _assertEq(_timelock.getMinDelay(), allowed ? value : DELAY, "delay");
    }

    /// @notice R68.
    function test_setVotingDelay__of_any_value__stays_in_bounds(uint48 value) public {
        value = uint48(_bound(value, 0, 30 days));
        bool allowed = value >= 10 && value <= 14 days;
        _settle(
            address(_governor),
            abi.encodeCall(_governor.setVotingDelay, (value)),
            !allowed,
            "votingDelay",
            value,
            10,
            14 days
        );
        _assertEq(_governor.votingDelay(), allowed ? value : 1 hours, "voting delay");
    }

    /// @notice R68.
    function test_setVotingPeriod__of_any_value__stays_in_bounds(uint32 value) public {
        value = uint32(_bound(value, 0, 60 days));
        bool allowed = value >= 1 minutes && value <= 30 days;
        _settle(
            address(_governor),
            abi.encodeCall(_governor.setVotingPeriod, (value)),
            !allowed,
            "votingPeriod",
            value,
            60,
            30 days
        );
        _assertEq(_governor.votingPeriod(), allowed ? value : 1 days, "voting period");
    }

    /// @notice R68.
    function test_setProposalThreshold__of_any_value__stays_in_bounds(uint256 value) public {
        value = _bound(value, 0, 2e7 ether);
        bool allowed = value >= 1 ether && value <= 1e7 ether;
        bytes memory data = abi.encodeCall(_governor.setProposalThreshold, (value));
        _settle(address(_governor), data, !allowed, "proposalThreshold", value, 1 ether, 1e7 ether);
        _assertEq(_governor.proposalThreshold(), allowed ? value : 1_000 ether, "threshold");
    }

    /// @notice R68.
    function test_updateQuorumNumerator__of_any_value__stays_in_bounds(uint256 value) public {
        value = _bound(value, 0, 101);
        bool allowed = value >= 1 && value <= 50;
        bytes memory data = abi.encodeCall(_governor.updateQuorumNumerator, (value));
        _settle(address(_governor), data, !allowed, "quorumNumerator", value, 1, 50);
        _assertEq(_governor.quorumNumerator(), allowed ? value : 4, "quorum");
    }

    /// @notice R68.
    function test_setLateQuorumVoteExtension__of_any_value__stays_in_bounds(uint48 value) public {
        value = uint48(_bound(value, 0, 2 days));
        bool allowed = value >= 10 && value <= 1 days;
        bytes memory data = abi.encodeCall(_governor.setLateQuorumVoteExtension, (value));
        _settle(address(_governor), data, !allowed, "lateQuorumVoteExtension", value, 10, 1 days);
        _assertEq(_governor.lateQuorumVoteExtension(), allowed ? value : 2 hours, "extension");
    }

    /// @notice R65: every governed contract names this timelock for good.
    function test_updateTimelock__after_a_vote__is_refused() public {
        bytes memory data = abi.encodeCall(_governor.updateTimelock, (TimelockController(payable(address(this)))));
        Motion memory motion = _queued(address(_governor), data);
        vm.warp(_governor.proposalEta(motion.id));
        vm.expectRevert(abi.encodeWithSelector(MallaGovernor.TimelockIsFixed.selector, address(_timelock)));
        _execute(motion);
        _assertEq(_governor.timelock(), address(_timelock), "timelock");
    }

    /// @notice R66: its proposer may take a proposal back until the vote begins.
    function test_cancel__before_the_vote__ends_the_proposal() public {
        Motion memory motion = _propose(address(_timelock), "");
        _assertEq(_governor.proposalThreshold(), 1_000 ether, "threshold");
        _assertTrue(_governor.proposalNeedsQueuing(motion.id), "every proposal goes through the timelock");
        _governor.cancel(motion.targets, motion.values, motion.calls, motion.text);
        _assertEq(uint256(_governor.state(motion.id)), uint256(IGovernor.ProposalState.Canceled), "state");
    }

    /// @notice R66: a quorum that comes late leaves time to answer, wherever in the period it comes.
    function test_vote__that_reaches_the_quorum__leaves_the_extension(uint256 when) public {
        Motion memory motion = _propose(address(_timelock), "");
        uint256 begins = _governor.proposalSnapshot(motion.id) + 1;
        uint256 ends = _governor.proposalDeadline(motion.id);
        when = _bound(when, begins, ends);
        vm.warp(when);
        _governor.castVote(motion.id, FOR);
        uint256 least = when + 2 hours;
        _assertEq(_governor.proposalDeadline(motion.id), least > ends ? least : ends, "deadline");
    }

    struct Motion {
        uint256 id;
        address[] targets;
        uint256[] values;
        bytes[] calls;
        bytes32 text;
    }

    function _newTimelock(address governor, uint256 delay) private returns (MallaTimelock) {
        address[] memory proposers = new address[](1);
        proposers[0] = governor;
        return new MallaTimelock(delay, proposers, new address[](1), _staking);
    }

    function _propose(address target, bytes memory data) private returns (Motion memory motion) {
        motion.targets = new address[](1);
        motion.targets[0] = target;
        motion.values = new uint256[](1);
        motion.calls = new bytes[](1);
        motion.calls[0] = data;
        motion.text = keccak256("why");
        motion.id = _governor.propose(motion.targets, motion.values, motion.calls, "why");
    }

    function _queued(address target, bytes memory data) private returns (Motion memory motion) {
        motion = _propose(target, data);
        vm.warp(_governor.proposalSnapshot(motion.id) + 1);
        _governor.castVote(motion.id, FOR);
        vm.warp(_governor.proposalDeadline(motion.id) + 1);
        _governor.queue(motion.targets, motion.values, motion.calls, motion.text);
    }

    function _execute(Motion memory motion) private {
        _governor.execute(motion.targets, motion.values, motion.calls, motion.text);
    }

    /// @dev A change that has won: carried out, or refused with these bounds.
    function _settle(
        address target,
        bytes memory data,
        bool isRefused,
        string memory parameter,
        uint256 value,
        uint256 least,
        uint256 most
    ) private {
        Motion memory motion = _queued(target, data);
        vm.warp(_governor.proposalEta(motion.id));
        if (isRefused) _expectBounds(parameter, value, least, most);
        _execute(motion);
    }

    function _expectBounds(string memory parameter, uint256 value, uint256 least, uint256 most) private {
        vm.expectRevert(abi.encodeWithSelector(IGoverned.ParameterOutOfBounds.selector, parameter, value, least, most));
    }
}
