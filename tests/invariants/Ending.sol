// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {Book} from "./Book.sol";
import {Moves} from "./Moves.sol";
import {Shadow} from "./Shadow.sol";

/// @title What a stranger can do for everybody once all oracles are silent: bring everything to its end
/// @dev Invariant 22. No move here needs a signature, a party or a payment, and none may fail.
contract Ending is Moves {
    constructor(Book book_, Shadow shadow_) Moves(book_, shadow_) {}

    /// @notice Ends all cases, batches, jobs and sessions, then lets everybody take out all that it has.
    function endAll() external told {
        vm.warp(block.timestamp + 15 days);
        _endCases();
        _endBatches(IEscrowBatches.BatchState.FROZEN);
        _endBatches(IEscrowBatches.BatchState.PENDING);
        _endJobs();
        _endSessions();
        vm.warp(block.timestamp + 15 days);
        _endSessions();
        _assertEq(escrow.exposure(), 0, "22: nothing is exposed once all has ended");
        _takeOut();
        _assertEq(token.balanceOf(address(escrow)), shadow.donated(address(escrow)), "22: the escrow pays out all");
    }

    /// @notice Takes out all stakes, delegations and seats.
    function leaveAll() external told {
        for (uint256 i; i < 3; ++i) {
            _leave(book.providers(i));
        }
        for (uint256 i; i < 5; ++i) {
            _resign(stage.oracles(i));
        }
        vm.warp(block.timestamp + 90 days);
        for (uint256 i; i < 3; ++i) {
            _withdraw(book.providers(i));
        }
        for (uint256 i; i < 5; ++i) {
            _withdrawSeat(stage.oracles(i));
        }
        for (uint256 i; i < 8; ++i) {
            address person = book.people(i);
            if (staking.awardOf(person) == 0) continue;
            vm.prank(person);
            staking.claimAward();
        }
        if (staking.condemned() != 0) staking.burnCondemned();
        uint256 left = token.balanceOf(address(staking)) - shadow.donated(address(staking));
        // What rounding left in the pools, which nobody owns.
        _assertLe(left, 3 ether / 1e3, "22: staking pays out all");
        _assertEq(
            token.balanceOf(address(committee)), shadow.donated(address(committee)), "22: the committee pays out all"
        );
        _assertEq(token.balanceOf(address(court)), shadow.donated(address(court)), "22: the court pays out all");
    }

    function _endCases() private {
        for (uint64 id = 1; id <= court.caseCount(); ++id) {
            if (court.caseOf(id).ruling != IDisputeCourt.Ruling.NONE) continue;
            vm.prank(book.stranger());
            court.closeByDefault(id);
        }
    }

    function _endBatches(IEscrowBatches.BatchState state) private {
        for (uint64 id = 1; id <= escrow.batchCount(); ++id) {
            if (escrow.batch(id).state != state) continue;
            IEscrowBatches.BatchHead memory head = book.headOf(id);
            IEscrowBatches.Entry[] memory entries = book.entriesOf(id);
            bool isReached = id <= escrow.providerRecord(head.provider).convictedThrough;
            vm.prank(book.stranger());
            if (isReached || state == IEscrowBatches.BatchState.FROZEN) escrow.forfeit(id, head, entries);
            else escrow.matureByDefault(id, head, entries);
        }
    }

    function _endJobs() private {
        for (uint256 i; i < book.jobCount(); ++i) {
            IEscrowJobs.Job memory job = book.jobAt(i);
            if (escrow.job(escrow.jobIdOf(job)).state != IEscrowJobs.JobState.OPEN) continue;
            vm.prank(book.stranger());
            escrow.refundJob(job);
        }
    }

    /// @dev The first time closes what is open, the second finishes it.
    function _endSessions() private {
        for (uint256 i; i < book.sessionCount(); ++i) {
            IEscrowSessions.Session memory session = book.sessionAt(i);
            IEscrowSessions.SessionRecord memory record = escrow.session(escrow.sessionIdOf(session));
            if (record.state == IEscrowSessions.SessionState.CLOSED) continue;
            vm.prank(book.stranger());
            if (record.state == IEscrowSessions.SessionState.OPEN) escrow.closeSession(session);
            else if (block.timestamp >= record.endsAt) escrow.finishSession(session);
        }
    }

    function _takeOut() private {
        for (uint256 i; i < 13; ++i) {
            address account = i < 8 ? book.people(i) : stage.oracles(i - 8);
            uint256 free = escrow.balanceOf(account);
            if (free == 0) continue;
            vm.prank(account);
            escrow.withdraw(free);
        }
        if (escrow.feesToBurn() != 0) escrow.burnFees();
    }

    function _leave(address provider) private {
        rewards.settleRewards(provider);
        if (staking.unstakings(provider).length != 0) _tryAs(provider, abi.encodeCall(staking.withdraw, ()));
        uint96 active = staking.activeStake(provider);
        if (active != 0) {
            vm.prank(provider);
            staking.unstake(active);
        }
        for (uint256 i; i < 3; ++i) {
            address delegator = book.delegators(i);
            if (staking.undelegations(provider, delegator).length != 0) {
                _tryAs(delegator, abi.encodeCall(staking.withdrawDelegation, (provider)));
            }
            (uint128 shares,) = staking.delegation(provider, delegator);
            if (shares == 0) continue;
            vm.prank(delegator);
            staking.undelegate(provider, shares);
        }
    }

    function _withdraw(address provider) private {
        if (staking.unstakings(provider).length != 0) {
            vm.prank(provider);
            staking.withdraw();
        }
        for (uint256 i; i < 3; ++i) {
            address delegator = book.delegators(i);
            if (staking.undelegations(provider, delegator).length == 0) continue;
            vm.prank(delegator);
            staking.withdrawDelegation(provider);
        }
    }

    function _resign(address oracle) private {
        if (!committee.isMember(committee.version(), oracle)) return;
        vm.prank(oracle);
        committee.resign();
    }

    function _withdrawSeat(address oracle) private {
        if (committee.oracle(oracle).stake == 0) return;
        vm.prank(oracle);
        committee.withdraw();
    }

    /// @dev For what may not be due yet.
    function _tryAs(address who, bytes memory data) private {
        vm.prank(who);
        (bool done,) = address(staking).call(data);
        done;
    }
}
