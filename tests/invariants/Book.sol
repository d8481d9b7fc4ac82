// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IJobEscrow} from "../../contracts/interfaces/IJobEscrow.sol";
import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {Attacker} from "./Attacker.sol";
import {Stage} from "./Stage.sol";
import {Vm} from "./Base.sol";

/// @title Who plays, and what every move needs to know of the moves before it: the preimages that the chain keeps
/// digests of
/// @dev Eight people: two requesters, two providers, two delegators, a contract that attacks as all three, and a
/// stranger that nobody ever has to do with. Besides them five oracles and the guardian.
contract Book {
    Vm private constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant LOOK_BACK = 24;

    Stage public immutable stage;
    IJobEscrow public immutable escrow;
    IDisputeCourt public immutable court;

    address[] public people;
    address[3] public requesters;
    address[3] public providers;
    address[3] public delegators;
    /// @notice Who looks at everything after each move.
    address public watcher;
    address public attacker;
    address public stranger;

    IEscrowJobs.Job[] private _jobs;
    IEscrowSessions.Session[] private _sessions;
    mapping(uint64 batchId => IEscrowBatches.BatchHead) private _heads;
    mapping(uint64 batchId => IEscrowBatches.Entry[]) private _entries;
    mapping(address oracle => bool) public equivocated;
    uint64 public nonce;

    error NothingToPick();

    constructor(Stage stage_) {
        stage = stage_;
        escrow = stage_.escrow();
        court = IDisputeCourt(address(stage_.court()));
        attacker = address(new Attacker());
        for (uint256 i; i < 8; ++i) {
            people.push(i == 6 ? attacker : vm.addr(i + 1));
        }
        requesters = [people[0], people[1], attacker];
        providers = [people[2], people[3], attacker];
        delegators = [people[4], people[5], attacker];
        stranger = people[7];
    }

    /// @notice Brings everybody to where a campaign starts: endowed, registered, staked, open for delegation.
    function invite() external {
        stage.fillSeats();
        for (uint256 i; i < 8; ++i) {
            stage.endow(people[i], i == 6 ? 0 : i + 1, 20_000 ether);
        }
        for (uint256 i; i < 3; ++i) {
            stage.register(providers[i], 201 + i);
            stage.know(301 + i);
            vm.startPrank(providers[i]);
            stage.staking().stake(2_000 ether);
            stage.staking().setCommission(uint16(1_000 * i));
            vm.stopPrank();
            vm.prank(requesters[i]);
            escrow.deposit(1_000 ether);
        }
    }

    function setWatcher(address watcher_) external {
        watcher = watcher_;
    }

    function nextNonce() external returns (uint64) {
        return ++nonce;
    }

    function addJob(IEscrowJobs.Job calldata job) external {
        _jobs.push(job);
    }

    function addSession(IEscrowSessions.Session calldata session) external {
        _sessions.push(session);
    }

    function addBatch(uint64 id, IEscrowBatches.BatchHead calldata head, IEscrowBatches.Entry[] calldata entries)
        external
    {
        _heads[id] = head;
        for (uint256 i; i < entries.length; ++i) {
            _entries[id].push(entries[i]);
        }
    }

    function markEquivocated(address oracle) external {
        equivocated[oracle] = true;
    }

    function jobCount() external view returns (uint256) {
        return _jobs.length;
    }

    function sessionCount() external view returns (uint256) {
        return _sessions.length;
    }

    function jobAt(uint256 index) external view returns (IEscrowJobs.Job memory) {
        return _jobs[index];
    }

    function sessionAt(uint256 index) external view returns (IEscrowSessions.Session memory) {
        return _sessions[index];
    }

    function headOf(uint64 batchId) external view returns (IEscrowBatches.BatchHead memory) {
        return _heads[batchId];
    }

    function entriesOf(uint64 batchId) external view returns (IEscrowBatches.Entry[] memory) {
        return _entries[batchId];
    }

    /// @notice One of the latest jobs in this state, from a fuzzed place on.
    function pickJob(uint256 seed, IEscrowJobs.JobState state) external view returns (IEscrowJobs.Job memory) {
        uint256 span = _least(_jobs.length, LOOK_BACK);
        for (uint256 i; i < span; ++i) {
            IEscrowJobs.Job memory job = _jobs[_jobs.length - 1 - (seed % span + i) % span];
            if (escrow.job(escrow.jobIdOf(job)).state == state) return job;
        }
        revert NothingToPick();
    }

    /// @notice One of the latest sessions in this state.
    function pickSession(uint256 seed, IEscrowSessions.SessionState state)
        external
        view
        returns (IEscrowSessions.Session memory)
    {
        uint256 span = _least(_sessions.length, LOOK_BACK);
        for (uint256 i; i < span; ++i) {
            IEscrowSessions.Session memory session = _sessions[_sessions.length - 1 - (seed % span + i) % span];
            if (escrow.session(escrow.sessionIdOf(session)).state == state) return session;
        }
        revert NothingToPick();
    }

    /// @notice One of the latest batches in this state.
    function pickBatch(uint256 seed, IEscrowBatches.BatchState state) external view returns (uint64) {
        uint256 count = escrow.batchCount();
        uint256 span = _least(count, LOOK_BACK);
        for (uint256 i; i < span; ++i) {
            uint64 id = uint64(count - (seed % span + i) % span);
            if (escrow.batch(id).state == state) return id;
        }
        revert NothingToPick();
    }

    /// @notice One of the latest cases that a ruling ended so; NONE for an open one.
    function pickCase(uint256 seed, IDisputeCourt.Ruling ruling) external view returns (uint64) {
        uint256 count = court.caseCount();
        uint256 span = _least(count, LOOK_BACK);
        for (uint256 i; i < span; ++i) {
            uint64 id = uint64(count - (seed % span + i) % span);
            if (court.caseOf(id).ruling == ruling) return id;
        }
        revert NothingToPick();
    }

    /// @notice The members of a set whose signatures still count, one bit each, and how many they are.
    function signersOf(uint16 setVersion) external view returns (uint256 who, uint256 size) {
        for (uint256 i; i < 5; ++i) {
            address oracle = stage.oracles(i);
            if (equivocated[oracle] || !stage.committee().isMember(setVersion, oracle)) continue;
            who |= 1 << i;
            ++size;
        }
    }

    function _least(uint256 left, uint256 right) private pure returns (uint256) {
        return left < right ? left : right;
    }
}
