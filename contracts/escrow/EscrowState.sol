// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../interfaces/escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "../interfaces/escrow/IEscrowTerms.sol";
import {PackedBatch} from "../libraries/BatchSlot.sol";
import {PackedJob} from "../libraries/JobSlot.sol";
import {PackedSession} from "../libraries/SessionSlot.sol";

/// @dev What nearly every movement of money touches: one slot.
/// @param fees Wei kept and not yet burned.
/// @param exposure Prices of open jobs and of entries in pending and frozen batches, wei.
/// @param coverage What the oracles' stake covers, gwei.
struct Ledger {
    uint96 fees;
    uint96 exposure;
    uint64 coverage;
}

/// @dev The part of the present terms that an opening reads, and the pause: one slot.
struct OpeningTerms {
    uint64 openFee;
    uint16 slashBps;
    uint16 challengerBps;
    uint16 detectionBps;
    uint32 maxDuration;
    uint32 maxSession;
    uint40 pausedUntil;
    uint16 version;
}

/// @dev The part of a version of the terms that a maturity reads: one slot.
struct FeeTerms {
    uint16 feeBps;
    uint96 auditFee;
    uint96 submitFee;
}

/// @dev An `IEscrowBatches.Freeze`, and the auditors that are paid when the freeze has ended its batch: one slot.
struct FreezeRecord {
    uint40 until;
    uint40 openedAt;
    bool appealed;
    uint32 auditors;
}

/// @dev A provider's freezes together: one slot. A conviction slashes once for all of them, so they condemn once.
/// @param count Batches of the provider that are frozen now.
/// @param condemned Wei that its first freeze counted against the ceiling of `epoch`.
struct Hold {
    uint32 count;
    uint64 epoch;
    uint96 condemned;
}

/// @title EscrowState: everything that the escrow stores
/// @dev `setVersion` is the committee's present one, told by `refreshCoverage` at each change: a commitment writes its
/// slot anyway, and asking the committee would cost it 5,000 gas.
/// @dev One struct, so that the three parts of the escrow's code cannot differ about where a thing lies. No record of a
/// job, a session, a key or a batch is ever cleared: an id that was used stays used.
struct EscrowState {
    mapping(address account => uint256) balances;
    Ledger ledger;
    OpeningTerms opening;
    mapping(uint16 version => IEscrowTerms.Parameters) terms;
    mapping(uint16 version => FeeTerms) fees;
    address guardian;
    uint64 longestWay;
    uint32 longestClaim;
    mapping(address provider => IEscrowJobs.ProviderRecord) providers;
    mapping(bytes32 jobId => PackedJob) jobs;
    mapping(bytes32 sessionId => PackedSession) sessions;
    mapping(address requester => mapping(address key => IEscrowSessions.KeyRecord)) keys;
    mapping(address requester => mapping(address key => mapping(bytes32 model => bool))) models;
    uint64 batchCount;
    uint64 slashEpoch;
    uint96 condemned;
    uint16 setVersion;
    mapping(uint64 batchId => PackedBatch) batches;
    mapping(uint64 batchId => uint256) stored;
    mapping(uint64 batchId => FreezeRecord) freezes;
    mapping(address provider => Hold) holds;
}
