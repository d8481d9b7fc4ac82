// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {JobEscrow} from "../../contracts/JobEscrow.sol";
import {Staking} from "../../contracts/Staking.sol";
import {IJobEscrow} from "../../contracts/interfaces/IJobEscrow.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {Base} from "./Base.sol";
import {Handler} from "./Handler.sol";
import {Stage} from "./Stage.sol";

/// @title The two ledger equations, to the wei, after any sequence of moves
contract LedgerTest is Base {
    Stage private _stage;
    Handler private _handler;
    mapping(bytes32 jobId => IJobEscrow.JobRecord) private _ended;

    function setUp() public {
        _stage = new Stage();
        _handler = new Handler(_stage);
        bytes4[] memory moves = new bytes4[](1);
        moves[0] = Handler.move.selector;
        _target(address(_handler), moves);
        // Requesters start with something to spend, so that short sequences get far.
        for (uint256 i; i < 2; ++i) {
            JobEscrow escrow = _stage.escrow();
            vm.startPrank(_stage.actors(i));
            escrow.deposit(1_000 ether);
            vm.stopPrank();
        }
    }

    /// @notice genesis - burned = all wallets + escrow + staking + committee.
    function invariant_token__holders__sum_to_genesis_less_burned() public view {
        IMallaToken token = IMallaToken(address(_stage.token()));
        uint256 held = token.balanceOf(address(_stage)) + token.balanceOf(address(_stage.escrow()));
        held += token.balanceOf(address(_stage.staking())) + token.balanceOf(address(_stage.committee()));
        for (uint256 i; i < 5; ++i) {
            held += token.balanceOf(_stage.actors(i));
        }
        for (uint256 i; i < 4; ++i) {
            held += token.balanceOf(_stage.oracles(i));
        }
        _assertEq(held, token.totalSupply(), "holders and supply");
        _assertEq(held, _stage.GENESIS() - _handler.burned(), "holders and genesis less burned");
    }

    /// R2: tokens of the escrow = free balances + reserves + unmatured pay + fees not yet burned.
    function invariant_escrow__tokens__cover_every_claim_exactly() public view {
        JobEscrow escrow = _stage.escrow();
        uint256 claims = escrow.feesToBurn();
        for (uint256 i; i < 5; ++i) {
            claims += escrow.balanceOf(_stage.actors(i));
        }
        for (uint256 i; i < _handler.jobCount(); ++i) {
            IJobEscrow.Job memory job = _handler.jobAt(i);
            IJobEscrow.JobState state = escrow.job(escrow.jobIdOf(job)).state;
            if (state == IJobEscrow.JobState.OPEN || state == IJobEscrow.JobState.COMMITTED) claims += job.price;
        }
        _assertEq(_stage.token().balanceOf(address(escrow)), claims, "tokens and claims");
    }

    /// R8: what is held against the ceiling is exactly what is open.
    function invariant_provider__reserved__is_the_sum_of_its_open_jobs() public view {
        JobEscrow escrow = _stage.escrow();
        uint256[2] memory open;
        for (uint256 i; i < _handler.jobCount(); ++i) {
            IJobEscrow.Job memory job = _handler.jobAt(i);
            if (escrow.job(escrow.jobIdOf(job)).state != IJobEscrow.JobState.OPEN) continue;
            open[job.provider == _stage.actors(2) ? 0 : 1] += job.price;
        }
        for (uint256 i; i < 2; ++i) {
            _assertEq(escrow.providerRecord(_stage.actors(2 + i)).reserved, open[i], "reserved and open jobs");
        }
    }

    function invariant_stakes__tokens__are_exactly_what_is_locked() public view {
        Staking staking = _stage.staking();
        uint256 locked = uint256(staking.slashableStake(_stage.actors(2))) + staking.slashableStake(_stage.actors(3));
        _assertEq(_stage.token().balanceOf(address(staking)), locked, "staking");
        uint256 seats;
        for (uint256 i; i < 4; ++i) {
            seats += _stage.committee().oracle(_stage.oracles(i)).stake;
        }
        _assertEq(_stage.token().balanceOf(address(_stage.committee())), seats, "committee");
    }

    /// R3: what ended once never changes again: no job is paid, or refunded, twice.
    function invariant_job__once_ended__stays_as_it_ended() public {
        JobEscrow escrow = _stage.escrow();
        for (uint256 i; i < _handler.jobCount(); ++i) {
            bytes32 id = escrow.jobIdOf(_handler.jobAt(i));
            IJobEscrow.JobRecord memory record = escrow.job(id);
            IJobEscrow.JobRecord memory before = _ended[id];
            if (before.state != IJobEscrow.JobState.NONE) {
                _assertEq(uint256(before.state), uint256(record.state), "ended state");
                _assertEq(uint256(before.reason), uint256(record.reason), "ended reason");
            } else if (record.state >= IJobEscrow.JobState.SETTLED) {
                _ended[id] = record;
            }
        }
    }

    /// @notice The campaign above is worth what its handler reaches: every kind of move succeeds in a fixed run.
    function test_handler__in_a_fixed_run__makes_every_move() public {
        for (uint256 i; i < 3_000; ++i) {
            _handler.move(uint256(keccak256(abi.encode(i))));
        }
        string[19] memory names = [
            "pass",
            "deposit",
            "withdraw",
            "open",
            "decline",
            "cancel",
            "refund",
            "commit",
            "settle",
            "freeze",
            "store",
            "default",
            "forfeit",
            "convict",
            "burn",
            "stake",
            "unstake",
            "withdrawStake",
            "changeSeat"
        ];
        for (uint256 i; i < names.length; ++i) {
            _assertTrue(_handler.moves(names[i]) != 0, names[i]);
        }
        invariant_token__holders__sum_to_genesis_less_burned();
        invariant_escrow__tokens__cover_every_claim_exactly();
        invariant_provider__reserved__is_the_sum_of_its_open_jobs();
        invariant_stakes__tokens__are_exactly_what_is_locked();
    }
}
