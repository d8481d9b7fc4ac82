// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {JobEscrow} from "../../contracts/JobEscrow.sol";
import {Staking} from "../../contracts/Staking.sol";
import {OracleCommittee} from "../../contracts/OracleCommittee.sol";
import {IJobEscrow} from "../../contracts/interfaces/IJobEscrow.sol";
import {Base} from "./Base.sol";
import {Stage} from "./Stage.sol";

/// @title Every move that anyone can make, with fuzzed choices
/// @dev A move that the contracts refuse reverts and leaves no trace here. What it did is counted in `moves`.
contract Handler is Base {
    Stage public immutable stage;
    JobEscrow private immutable _escrow;
    Staking private immutable _staking;
    OracleCommittee private immutable _committee;

    IJobEscrow.Job[] private _jobs;
    mapping(uint64 batchId => IJobEscrow.Entry[]) private _entries;
    uint256 public burned;
    uint64 private _nonce;
    mapping(string move => uint256) public moves;

    constructor(Stage stage_) {
        stage = stage_;
        _escrow = stage_.escrow();
        _staking = stage_.staking();
        _committee = stage_.committee();
    }

    function jobCount() external view returns (uint256) {
        return _jobs.length;
    }

    function jobAt(uint256 index) external view returns (IJobEscrow.Job memory) {
        return _jobs[index];
    }

    /// @notice One move, chosen by the seed so that what needs others before it comes often enough.
    function move(uint256 seed) external {
        uint256 a = uint256(keccak256(abi.encode(seed, "a")));
        uint256 b = uint256(keccak256(abi.encode(seed, "b")));
        uint256 kind = seed % 24;
        if (kind < 2) {
            try this.pass(a) {} catch {}
        } else if (kind == 2) {
            try this.deposit(a, b) {} catch {}
        } else if (kind < 8) {
            try this.open(a, b, uint32(a >> 8), uint32(b >> 8), uint32(a >> 40)) {} catch {}
        } else if (kind < 11) {
            try this.commit(a, b, a >> 8) {} catch {}
        } else if (kind < 13) {
            try this.settle(a, b, uint8(a >> 8), uint8(b >> 8), a >> 16) {} catch {}
        } else if (kind == 13) {
            try this.store(a, b) {} catch {}
        } else if (kind == 14) {
            try this.defaultOn(a) {} catch {}
        } else if (kind == 15) {
            try this.forfeit(a) {} catch {}
        } else if (kind == 16) {
            try this.decline(a) {} catch {}
        } else if (kind == 17) {
            try this.cancel(a) {} catch {}
        } else if (kind == 18) {
            try this.refund(a) {} catch {}
        } else {
            _sideMove(kind, a, b);
        }
    }

    function pass(uint256 by) external {
        vm.warp(block.timestamp + _bound(by, 1, 700));
        vm.roll(block.number + 1);
        ++moves["pass"];
    }

    function deposit(uint256 who, uint256 amount) external {
        vm.prank(_actor(who));
        _escrow.deposit(_bound(amount, 1, 400 ether));
        ++moves["deposit"];
    }

    function withdraw(uint256 who, uint256 amount) external {
        address account = _actor(who);
        uint256 free = _escrow.balanceOf(account);
        vm.prank(account);
        _escrow.withdraw(_bound(amount, 1, free));
        ++moves["withdraw"];
    }

    function open(uint256 who, uint256 toWhom, uint32 input, uint32 output, uint32 duration) external {
        address requester = stage.actors(who % 2);
        IJobEscrow.Offer memory offer = _offer(stage.actors(2 + toWhom % 2));
        bytes memory signature = stage.signBy(stage.nodeOf(offer.provider), _escrow.offerDigest(offer));
        IJobEscrow.Job memory job = IJobEscrow.Job({
            requester: requester,
            provider: offer.provider,
            offerDigest: _escrow.offerDigest(offer),
            specDigest: bytes32(uint256(1)),
            inputTokens: uint32(_bound(input, 1, 1_000)),
            maxOutputTokens: uint32(_bound(output, 1, 1_000)),
            price: 0,
            nonce: ++_nonce
        });
        job.price = job.inputTokens * offer.inputPrice + job.maxOutputTokens * offer.outputPrice;
        duration = uint32(_bound(duration, 60, 3_600));
        vm.prank(requester);
        _escrow.openJob(offer, signature, job.specDigest, job.inputTokens, job.maxOutputTokens, duration, job.nonce);
        _jobs.push(job);
        ++moves["open"];
    }

    function decline(uint256 which) external {
        IJobEscrow.Job memory job = _pick(which);
        vm.prank(job.provider);
        _escrow.declineJob(job);
        ++moves["decline"];
    }

    function cancel(uint256 which) external {
        IJobEscrow.Job memory job = _pick(which);
        vm.prank(job.requester);
        _escrow.cancelJob(job);
        ++moves["cancel"];
    }

    function refund(uint256 which) external {
        _escrow.refundJob(_pick(which));
        ++moves["refund"];
    }

    /// @notice Commits up to four open jobs of one provider, each for a fuzzed amount.
    function commit(uint256 who, uint256 from, uint256 share) external {
        address provider = stage.actors(2 + who % 2);
        IJobEscrow.Commitment[] memory lines = _openJobsOf(provider, from, share);
        vm.prank(stage.nodeOf(provider));
        uint64 batchId = _escrow.commitBatch(lines);
        for (uint256 i; i < lines.length; ++i) {
            IJobEscrow.Job memory job = lines[i].job;
            _entries[batchId].push(
                IJobEscrow.Entry(
                    _escrow.jobIdOf(job),
                    job.requester,
                    job.price,
                    lines[i].amount,
                    lines[i].leaf,
                    lines[i].answerDigest
                )
            );
        }
        ++moves["commit"];
    }

    /// @notice Settles two batches, maybe the same one, as the members of the first one's set decide.
    function settle(uint256 one, uint256 two, uint8 firstOutcome, uint8 secondOutcome, uint256 absent) external {
        IJobEscrow.Decision[] memory decisions = new IJobEscrow.Decision[](2);
        IJobEscrow.Entry[][] memory entries = new IJobEscrow.Entry[][](2);
        (decisions[0], entries[0]) = _decision(_batch(one), firstOutcome);
        (decisions[1], entries[1]) = _decision(_batch(two), secondOutcome);
        uint16 version = _escrow.batch(decisions[0].batchId).setVersion;
        bytes32 digest = _escrow.settlementDigest(version, decisions);
        _escrow.settle(version, decisions, entries, stage.sign(digest, _signers(version, absent)));
        ++moves["settle"];
        if (_escrow.batch(decisions[0].batchId).state == IJobEscrow.BatchState.FROZEN) ++moves["freeze"];
    }

    function store(uint256 which, uint256 place) external {
        uint64 batchId = _batch(which);
        IJobEscrow.Entry[] memory entries = _entries[batchId];
        uint16[] memory indexes = new uint16[](1);
        indexes[0] = uint16(place % entries.length);
        bytes[][] memory signatures = new bytes[][](1);
        signatures[0] = stage.sign(_escrow.storageReceiptDigest(entries[indexes[0]].answerDigest), 6);
        _escrow.recordStored(batchId, entries, indexes, signatures);
        ++moves["store"];
    }

    function defaultOn(uint256 which) external {
        uint64 batchId = _batch(which);
        _escrow.matureByDefault(batchId, _entries[batchId]);
        ++moves["default"];
    }

    function forfeit(uint256 which) external {
        uint64 batchId = _batch(which);
        bool convicts = _escrow.batch(batchId).state == IJobEscrow.BatchState.FROZEN;
        address provider = _escrow.batch(batchId).provider;
        uint256 before = _staking.slashableStake(provider);
        _escrow.forfeit(batchId, _entries[batchId]);
        burned += before - _staking.slashableStake(provider);
        ++moves[convicts ? "convict" : "forfeit"];
    }

    function burnFees() external {
        uint256 fees = _escrow.feesToBurn();
        _escrow.burnFees();
        burned += fees;
        ++moves["burn"];
    }

    function stake(uint256 who, uint96 amount) external {
        vm.prank(stage.actors(2 + who % 2));
        _staking.stake(uint96(_bound(amount, 1, 500 ether)));
        ++moves["stake"];
    }

    function unstake(uint256 who, uint96 amount) external {
        address provider = stage.actors(2 + who % 2);
        uint96 active = _staking.activeStake(provider);
        vm.prank(provider);
        _staking.unstake(uint96(_bound(amount, 1, active / 4)));
        ++moves["unstake"];
    }

    function withdrawStake(uint256 who) external {
        vm.prank(stage.actors(2 + who % 2));
        _staking.withdraw();
        ++moves["withdrawStake"];
    }

    /// @notice An oracle leaves, takes its stake, or joins again, whichever it can.
    function changeSeat(uint256 who) external {
        address oracle = stage.oracles(who % 4);
        uint40 releaseAt = _committee.oracle(oracle).releaseAt;
        uint96 locked = _committee.oracle(oracle).stake;
        vm.prank(oracle);
        if (locked == 0) _committee.join("https://again", bytes32(uint256(1)), bytes32(uint256(2)));
        else if (releaseAt == 0) _committee.resign();
        else _committee.withdraw();
        ++moves["changeSeat"];
    }

    function _sideMove(uint256 kind, uint256 a, uint256 b) private {
        if (kind == 19) {
            try this.withdraw(a, b) {} catch {}
        } else if (kind == 20) {
            try this.burnFees() {} catch {}
        } else if (kind == 21) {
            try this.stake(a, uint96(b)) {} catch {}
        } else if (kind == 22 && a % 8 == 0) {
            try this.unstake(b, uint96(b >> 1)) {} catch {}
        } else if (kind == 22) {
            try this.withdrawStake(b) {} catch {}
        } else if (a % 4 == 0) {
            try this.changeSeat(b) {} catch {}
        }
    }

    function _offer(address provider) private pure returns (IJobEscrow.Offer memory offer) {
        offer.provider = provider;
        offer.inputPrice = 0.001 ether;
        offer.outputPrice = 0.005 ether + 1;
        offer.maxInputTokens = 1_000;
        offer.maxOutputTokens = 1_000;
        offer.minDuration = 60;
        offer.maxOutstanding = 100 ether;
        offer.nonce = 1;
        offer.expiry = type(uint40).max;
    }

    function _openJobsOf(address provider, uint256 from, uint256 share)
        private
        view
        returns (IJobEscrow.Commitment[] memory lines)
    {
        lines = new IJobEscrow.Commitment[](4);
        uint256 found;
        for (uint256 i; i < _jobs.length && i < 24 && found < 4; ++i) {
            IJobEscrow.Job memory job = _jobs[_jobs.length - 1 - i];
            if ((from >> i) & 1 == 1) continue;
            IJobEscrow.JobRecord memory record = _escrow.job(_escrow.jobIdOf(job));
            if (job.provider != provider || record.state != IJobEscrow.JobState.OPEN) continue;
            if (record.deadline <= block.timestamp) continue;
            uint96 amount = uint96(_bound(share, 0, job.price));
            lines[found++] =
                IJobEscrow.Commitment(job, amount, keccak256(abi.encode(job)), keccak256(abi.encode(job, 1)));
        }
        assembly ("memory-safe") {
            mstore(lines, found)
        }
    }

    function _decision(uint64 batchId, uint8 kind)
        private
        view
        returns (IJobEscrow.Decision memory decision, IJobEscrow.Entry[] memory entries)
    {
        // PASS twice as often as FRAUD or NOT_OPENED.
        IJobEscrow.Outcome outcome = IJobEscrow.Outcome(kind % 4 == 0 ? 1 : kind % 4);
        uint96 amount;
        if (outcome != IJobEscrow.Outcome.FRAUD) entries = _entries[batchId];
        if (outcome == IJobEscrow.Outcome.PASS) {
            for (uint256 i; i < entries.length; ++i) {
                amount += entries[i].amount;
            }
        }
        decision = IJobEscrow.Decision(batchId, _escrow.batch(batchId).entriesHash, outcome, amount);
    }

    function _actor(uint256 who) private view returns (address) {
        return stage.actors(who % 5);
    }

    /// @dev One of the last six jobs: older ones are mostly over.
    function _pick(uint256 which) private view returns (IJobEscrow.Job memory) {
        return _jobs[_jobs.length - 1 - which % (_jobs.length < 6 ? _jobs.length : 6)];
    }

    /// @dev One of the last eight batches: older ones are mostly over.
    function _batch(uint256 which) private view returns (uint64) {
        uint64 count = _escrow.batchCount();
        return count - uint64(which % (count < 8 ? count : 8));
    }

    /// @dev All members of the set but one, if the others are a quorum.
    function _signers(uint16 version, uint256 absent) private view returns (uint256 who) {
        uint256 size;
        for (uint256 i; i < 4; ++i) {
            if (!_committee.isMember(version, stage.oracles(i))) continue;
            who |= 1 << i;
            ++size;
        }
        if (size > _committee.quorum(version)) who &= ~(1 << (absent % 4));
    }
}
