// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IJobEscrow} from "../../contracts/interfaces/IJobEscrow.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {AttackCalls} from "./AttackCalls.sol";
import {AttackMoves} from "./AttackMoves.sol";
import {Base} from "./Base.sol";
import {BatchMoves} from "./BatchMoves.sol";
import {Book} from "./Book.sol";
import {CommitteeMoves} from "./CommitteeMoves.sol";
import {CourtMoves} from "./CourtMoves.sol";
import {EndMoves} from "./EndMoves.sol";
import {Ending} from "./Ending.sol";
import {GovernMoves} from "./GovernMoves.sol";
import {JobMoves} from "./JobMoves.sol";
import {MoneyMoves} from "./MoneyMoves.sol";
import {SessionMoves} from "./SessionMoves.sol";
import {Shadow} from "./Shadow.sol";
import {Stage} from "./Stage.sol";
import {StakeMoves} from "./StakeMoves.sol";

/// @title The stage, its people, and every move that they can make
/// @dev Forge runs a campaign of its own for each `invariant_` function and checks it after each move. The number in
/// the name is that of docs/INVARIANTS.md. At the end of a run everything is brought to its end by a stranger.
abstract contract Campaign is Base {
    Stage internal stage;
    Book internal book;
    Shadow internal shadow;
    Ending internal ending;
    MoneyMoves internal money;
    CommitteeMoves internal seats;
    GovernMoves internal govern;
    AttackMoves internal attack;

    IMallaToken internal token;
    IJobEscrow internal escrow;
    IStaking internal staking;
    IOracleCommittee internal committee;
    IRewards internal rewards;
    IDisputeCourt internal court;

    function setUp() public virtual {
        vm.warp(1_000_000);
        vm.recordLogs();
        stage = new Stage();
        book = new Book(stage);
        shadow = new Shadow(stage);
        book.invite();
        book.setWatcher(address(this));
        shadow.read(vm.getRecordedLogs());
        token = IMallaToken(address(stage.token()));
        escrow = stage.escrow();
        staking = IStaking(address(stage.staking()));
        committee = IOracleCommittee(address(stage.committee()));
        rewards = IRewards(address(stage.rewards()));
        court = IDisputeCourt(address(stage.court()));
        ending = new Ending(book, shadow);
        money = new MoneyMoves(book, shadow);
        seats = new CommitteeMoves(book, shadow);
        govern = new GovernMoves(book, shadow);
        attack = new AttackMoves(book, shadow, new AttackCalls(book));
        _target(address(money));
        _target(address(seats));
        _target(address(govern));
        _target(address(attack));
        _target(address(new JobMoves(book, shadow)));
        _target(address(new SessionMoves(book, shadow)));
        _target(address(new BatchMoves(book, shadow)));
        _target(address(new EndMoves(book, shadow)));
        _target(address(new StakeMoves(book, shadow)));
        _target(address(new CourtMoves(book, shadow)));
    }

    /// @notice Compares what must only go on, or never change, with what was seen after the last move.
    /// @dev Called by every move: Forge undoes whatever an invariant writes.
    function look() external virtual {}

    /// @notice 22 (liveness): after any run a stranger ends everything, and everybody gets out what it has.
    function afterInvariant() public {
        ending.endAll();
        ending.leaveAll();
        for (uint256 number; number <= 50; ++number) {
            _holds(number);
        }
    }

    /// @dev What a shadow or a move found wrong about an invariant.
    function _holds(uint256 number) internal view {
        if (shadow.found(number) != 0) revert NotTrue(shadow.foundWhat(number));
    }

    function _everybody(uint256 place) internal view returns (address) {
        return place < 8 ? book.people(place) : stage.oracles(place - 8);
    }
}
