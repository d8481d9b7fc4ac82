// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IGuarded} from "../../contracts/interfaces/IGuarded.sol";
import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IJobEscrow} from "../../contracts/interfaces/IJobEscrow.sol";
import {IEscrowBalances} from "../../contracts/interfaces/escrow/IEscrowBalances.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowEnds} from "../../contracts/interfaces/escrow/IEscrowEnds.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {Book} from "./Book.sol";
import {Stage} from "./Stage.sol";

/// @title The calls of an attacker, every external function that changes anything, and what others own before and after
contract AttackCalls {
    /// @param condemned The provider that a quorum found against before: the call may carry that out.
    struct Call {
        address target;
        bytes data;
        address condemned;
    }

    /// @dev Everything that somebody else could take away, wei, and what somebody else could delay or replace.
    struct Wealth {
        uint256 free;
        uint256 wallet;
        uint256 award;
        uint256 stake;
        uint256 delegations;
        uint256 seat;
        bytes32 rest;
    }

    Book private immutable _book;
    Stage private immutable _stage;
    IJobEscrow private immutable _escrow;
    IStaking private immutable _staking;
    IOracleCommittee private immutable _committee;
    IRewards private immutable _rewards;
    IDisputeCourt private immutable _court;
    IMallaToken private immutable _token;

    constructor(Book book_) {
        _book = book_;
        _stage = book_.stage();
        _escrow = _stage.escrow();
        _staking = IStaking(address(_stage.staking()));
        _committee = IOracleCommittee(address(_stage.committee()));
        _rewards = IRewards(address(_stage.rewards()));
        _court = IDisputeCourt(address(_stage.court()));
        _token = IMallaToken(address(_stage.token()));
    }

    function wealthOf(address whose) external view returns (Wealth memory) {
        return _wealthOf(whose);
    }

    /// @param condemned The provider whose stake, and what is delegated to it, may be lower; zero for nobody.
    function isNotWorse(address whose, Wealth memory before, address condemned) external view returns (bool) {
        Wealth memory its = _wealthOf(whose);
        bool keepsMoney = its.free >= before.free && its.wallet >= before.wallet && its.award >= before.award;
        bool keepsSeat = its.seat >= before.seat && its.rest == before.rest;
        bool keepsStake = whose == condemned || its.stake >= before.stake;
        bool keepsShares = condemned != address(0) || its.delegations >= before.delegations;
        return keepsMoney && keepsSeat && keepsStake && keepsShares;
    }

    /// @notice One of the calls that are open to everybody.
    function open(uint256 which, uint256 seed) external view returns (Call memory its) {
        which %= 10;
        if (which == 0) {
            its.target = address(_escrow);
            its.data = abi.encodeCall(IEscrowJobs.refundJob, (_book.pickJob(seed, IEscrowJobs.JobState.OPEN)));
        } else if (which == 1) {
            IEscrowSessions.Session memory session = _book.pickSession(seed, IEscrowSessions.SessionState.OPEN);
            its.target = address(_escrow);
            its.data = abi.encodeCall(IEscrowSessions.closeSession, (session));
        } else if (which == 2) {
            IEscrowSessions.Session memory session = _book.pickSession(seed, IEscrowSessions.SessionState.CLOSING);
            its.target = address(_escrow);
            its.data = abi.encodeCall(IEscrowSessions.finishSession, (session));
        } else if (which == 3) {
            its = _onBatch(_book.pickBatch(seed, IEscrowBatches.BatchState.PENDING), true);
        } else if (which == 4) {
            its = _onBatch(_book.pickBatch(seed, IEscrowBatches.BatchState.FROZEN), false);
        } else if (which == 5) {
            its = Call(address(_escrow), abi.encodeCall(IEscrowBalances.burnFees, ()), address(0));
        } else if (which == 6) {
            its = Call(address(_staking), abi.encodeCall(IStaking.burnCondemned, ()), address(0));
        } else if (which == 7) {
            address provider = _book.providers(seed % 3);
            its = Call(address(_rewards), abi.encodeCall(IRewards.settleRewards, (provider)), address(0));
        } else if (which == 8) {
            its = Call(address(_escrow), abi.encodeCall(IEscrowTerms.refreshCoverage, ()), address(0));
        } else {
            uint64 id = _book.pickCase(seed, IDisputeCourt.Ruling.NONE);
            its = Call(address(_court), abi.encodeCall(IDisputeCourt.closeByDefault, (id)), address(0));
        }
    }

    /// @notice One of the calls in which everybody has its own.
    function own(uint256 which, uint256 seed) external view returns (Call memory its) {
        which %= 8;
        its.target = address(_staking);
        if (which == 0) {
            its.data = abi.encodeCall(IStaking.stake, (uint96(1 + seed % 1 ether)));
        } else if (which == 1) {
            its.data = abi.encodeCall(IStaking.unstake, (uint96(1 + seed % 1 ether)));
        } else if (which == 2) {
            its.data = abi.encodeCall(IStaking.withdraw, ());
        } else if (which == 3) {
            its.data = abi.encodeCall(IStaking.setMetadata, (bytes32(seed)));
        } else if (which == 4) {
            its.data = abi.encodeCall(IStaking.delegate, (_book.providers(seed % 3), uint96(1 ether + seed % 1 ether)));
        } else if (which == 5) {
            its.data = abi.encodeCall(IStaking.undelegate, (_book.providers(seed % 3), uint128(1 + seed % 1e24)));
        } else if (which == 6) {
            its.target = address(_escrow);
            its.data = abi.encodeCall(IEscrowBalances.deposit, (1 + seed % 1 ether));
        } else {
            its.target = address(_escrow);
            its.data = abi.encodeCall(IEscrowBalances.withdraw, (1 + seed % 1 ether));
        }
    }

    /// @notice One of the calls that belong to somebody else than the attacker.
    function closed(uint256 which, uint256 seed) external view returns (address target, bytes memory data) {
        which %= 22;
        if (which < 8) return (address(_escrow), _closedEscrow(which, seed));
        if (which < 15) return (address(_staking), _closedStaking(which, seed));
        if (which == 15) {
            target = address(_token);
            data = abi.encodeCall(IMallaToken.mint, (_book.attacker(), 1));
        } else if (which == 16) {
            target = address(_token);
            data = abi.encodeCall(IMallaToken.burnFrom, (_book.people(seed % 6), 1));
        } else if (which == 17) {
            target = address(_rewards);
            data = abi.encodeCall(IRewards.accrue, (_book.attacker(), 1));
        } else if (which == 18) {
            target = address(_rewards);
            data = abi.encodeCall(IRewards.setBeta, (1));
        } else if (which == 19) {
            target = address(_committee);
            data = abi.encodeCall(IOracleCommittee.addSeat, (_book.attacker()));
        } else if (which == 20) {
            target = address(_committee);
            data = abi.encodeCall(IOracleCommittee.join, ("https://x", bytes32(seed | 1), bytes32(seed | 1)));
        } else {
            target = address(_court);
            data = abi.encodeCall(IDisputeCourt.setTerms, (_court.terms()));
        }
    }

    function _closedEscrow(uint256 which, uint256 seed) private view returns (bytes memory) {
        if (which == 0) return abi.encodeCall(IEscrowTerms.setTerms, (_stage.terms()));
        if (which == 1) return abi.encodeCall(IGuarded.pause, (uint40(seed)));
        if (which == 2) return abi.encodeCall(IGuarded.setGuardian, (_book.attacker()));
        if (which == 3) return abi.encodeCall(IEscrowBalances.withdraw, (_escrow.balanceOf(_book.attacker()) + 1));
        if (which == 4) return abi.encodeCall(IEscrowEnds.holdFreeze, (uint64(seed), uint40(seed)));
        if (which == 5) {
            uint64 id = _book.pickBatch(seed, IEscrowBatches.BatchState.PENDING);
            return abi.encodeCall(IEscrowEnds.convict, (id, _book.headOf(id), _book.attacker(), type(uint96).max));
        }
        IEscrowJobs.Job memory job = _book.pickJob(seed, IEscrowJobs.JobState.OPEN);
        // Of its own jobs it may cancel and decline what is its own.
        if (job.requester == _book.attacker() || job.provider == _book.attacker()) {
            return abi.encodeCall(IGuarded.setGuardian, (_book.attacker()));
        }
        if (which == 6) return abi.encodeCall(IEscrowJobs.declineJob, (job));
        return abi.encodeCall(IEscrowJobs.cancelJob, (job));
    }

    function _closedStaking(uint256 which, uint256 seed) private view returns (bytes memory) {
        address victim = _book.providers(seed % 2);
        if (which == 8) {
            return abi.encodeCall(IStaking.slash, (victim, 10_000, _book.attacker(), 10_000, type(uint96).max));
        }
        if (which == 9) return abi.encodeCall(IStaking.seize, (victim, 1, _book.attacker()));
        if (which == 10) return abi.encodeCall(IStaking.addDelegationReward, (victim, 1));
        if (which == 11) return abi.encodeCall(IStaking.setUnstakeDelay, (uint32(seed)));
        if (which == 12) return abi.encodeCall(IStaking.setDelegationMultiple, (uint16(seed)));
        if (which == 13) return abi.encodeCall(IGuarded.pause, (uint40(seed)));
        return abi.encodeCall(
            IStaking.register, (_book.stage().staking().nodeKeyOf(victim), bytes32(seed | 1), 0, new bytes(65))
        );
    }

    function _onBatch(uint64 id, bool byDefault) private view returns (Call memory its) {
        IEscrowBatches.BatchHead memory head = _book.headOf(id);
        its.target = address(_escrow);
        if (byDefault) {
            its.data = abi.encodeCall(IEscrowEnds.matureByDefault, (id, head, _book.entriesOf(id)));
        } else {
            its.data = abi.encodeCall(IEscrowEnds.forfeit, (id, head, _book.entriesOf(id)));
            its.condemned = head.provider;
        }
    }

    function _wealthOf(address whose) private view returns (Wealth memory its) {
        its.free = _escrow.balanceOf(whose);
        its.wallet = _token.balanceOf(whose);
        its.award = _staking.awardOf(whose);
        its.stake = _staking.slashableStake(whose);
        its.seat = _committee.oracle(whose).stake;
        for (uint256 i; i < 3; ++i) {
            (, uint96 worth) = _staking.delegation(_book.providers(i), whose);
            its.delegations += worth;
            IStaking.Unstaking[] memory list = _staking.undelegations(_book.providers(i), whose);
            for (uint256 j; j < list.length; ++j) {
                its.rest = keccak256(abi.encode(its.rest, list[j].releaseAt));
            }
        }
        IStaking.Unstaking[] memory waits = _staking.unstakings(whose);
        for (uint256 j; j < waits.length; ++j) {
            its.rest = keccak256(abi.encode(its.rest, waits[j].releaseAt));
        }
        its.rest = keccak256(
            abi.encode(
                its.rest,
                _staking.nodeKeyOf(whose),
                _escrow.providerRecord(whose).offersFrom,
                _committee.oracle(whose).releaseAt,
                _token.nonces(whose),
                _committee.hasSeat(whose)
            )
        );
    }
}
