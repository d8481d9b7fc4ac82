// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {ShadowEscrow} from "./ShadowEscrow.sol";
import {ShadowStakes} from "./ShadowStakes.sol";
import {Stage} from "./Stage.sol";
import {Vm} from "./Base.sol";

/// @title A second set of books for the whole system, rebuilt from its logs alone
contract Shadow is ShadowEscrow, ShadowStakes {
    Stage private immutable _stage;

    mapping(address account => int256) public held;
    uint256 public minted;
    uint256 public burned;
    mapping(address target => uint256) public donated;

    mapping(address provider => mapping(uint64 epoch => uint256)) public burnedBy;
    mapping(uint64 epoch => uint256) public burnedIn;
    mapping(uint64 epoch => uint256) public earnedIn;
    mapping(address provider => mapping(uint64 epoch => uint256)) public earnedBy;
    uint256 public earnedEver;
    uint256 public accruedEver;
    uint64 public lastEpoch;

    uint256 public bondsIn;
    uint256 public bondsDue;

    constructor(Stage stage_) {
        _stage = stage_;
    }

    /// @notice Tokens that were thrown at a contract without a call.
    function donate(address target, uint256 amount) external {
        donated[target] += amount;
    }

    function read(Vm.Log[] memory logs) external {
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics.length == 0) continue;
            address emitter = logs[i].emitter;
            if (emitter == address(_stage.token())) _readToken(logs[i]);
            else if (emitter == address(_stage.escrow())) _readEscrow(logs[i]);
            else if (emitter == address(_stage.staking())) _readStaking(logs[i]);
            else if (emitter == address(_stage.rewards())) _readRewards(logs[i]);
            else if (emitter == address(_stage.court())) _readCourt(logs[i]);
        }
    }

    function _readToken(Vm.Log memory log) private {
        if (log.topics[0] != IERC20.Transfer.selector) return;
        (address from, address to) = (_account(log.topics[1]), _account(log.topics[2]));
        uint256 amount = abi.decode(log.data, (uint256));
        if (from == address(0)) minted += amount;
        else held[from] -= int256(amount);
        if (to == address(0)) burned += amount;
        else held[to] += int256(amount);
    }

    function _readRewards(Vm.Log memory log) private {
        bytes32 kind = log.topics[0];
        if (kind == IRewards.BurnAccrued.selector) {
            uint64 epoch = uint64(uint256(log.topics[2]));
            uint256 amount = abi.decode(log.data, (uint96));
            burnedBy[_account(log.topics[1])][epoch] += amount;
            burnedIn[epoch] += amount;
            accruedEver += amount;
            note(31, epoch <= _stage.rewards().epoch() && epoch >= lastEpoch, "a burn of another epoch");
            lastEpoch = epoch;
        } else if (kind == IRewards.Earned.selector) {
            address provider = _account(log.topics[1]);
            uint64 epoch = uint64(uint256(log.topics[2]));
            uint256 amount = abi.decode(log.data, (uint96));
            note(31, epoch < _stage.rewards().epoch(), "an open epoch paid");
            note(31, earnedBy[provider][epoch] == 0, "an epoch paid a provider twice");
            note(27, amount * 10 <= burnedBy[provider][epoch] * 9, "earned more than beta of the own burn");
            earnedBy[provider][epoch] += amount;
            earnedIn[epoch] += amount;
            earnedEver += amount;
            note(28, earnedIn[epoch] <= _stage.rewards().budgetOf(epoch), "an epoch paid more than its budget");
            note(
                27,
                amount * burnedIn[epoch] <= uint256(_stage.rewards().budgetOf(epoch)) * burnedBy[provider][epoch],
                "earned more than its share of the schedule"
            );
        }
    }

    function _readCourt(Vm.Log memory log) private {
        if (log.topics[0] == IDisputeCourt.CaseOpened.selector) {
            uint96 bond = _stage.court().caseOf(uint64(uint256(log.topics[1]))).bond;
            bondsIn += bond;
            bondsDue += bond;
        } else if (
            log.topics[0] == IDisputeCourt.CaseRuled.selector || log.topics[0] == IDisputeCourt.CaseDefaulted.selector
        ) {
            uint96 bond = _stage.court().caseOf(uint64(uint256(log.topics[1]))).bond;
            note(40, bond <= bondsDue, "a case ended twice");
            bondsDue -= bond <= bondsDue ? bond : bondsDue;
        }
    }
}
