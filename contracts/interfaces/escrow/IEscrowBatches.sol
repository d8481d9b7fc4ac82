// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowJobs} from "./IEscrowJobs.sol";
import {IEscrowSessions} from "./IEscrowSessions.sol";

/// @title IEscrowBatches: a provider's commitments to many jobs and vouchers at once, and every way out of one
/// @notice PENDING -> MATURED; PENDING -> FROZEN -> MATURED | FORFEITED. A batch is kept as one slot: its state and the
/// digest of its head; callers pass the head and the entries, which `BatchCommitted` carries.
interface IEscrowBatches {
    enum BatchState {
        NONE,
        PENDING,
        FROZEN,
        MATURED,
        FORFEITED
    }

    /// @notice What a quorum signs about a batch. DEFAULT is never signed: it marks a batch that matured at the hard
    /// limit by the last signed evidence.
    enum Outcome {
        NONE,
        PASS,
        FRAUD,
        NOT_OPENED,
        DEFAULT
    }

    enum SkipReason {
        NOT_PENDING,
        WRONG_SET,
        PROVIDER_FROZEN,
        PROVIDER_CONVICTED,
        SLASH_CEILING,
        OPENED_ON_CHAIN
    }

    /// @notice One line of a provider's commitment.
    /// @param amount Wei claimed, at most the price.
    /// @param leaf Digest of the transcript that an audit replays.
    /// @param answerDigest keccak256 of the sealed answer as delivered.
    struct Commitment {
        IEscrowJobs.Job job;
        uint96 amount;
        bytes32 leaf;
        bytes32 answerDigest;
    }

    /// @notice A committed line as later calls need it.
    /// @param jobId Job id, or session id of a voucher.
    /// @param price The job's reserve; of a voucher what it adds to the last one committed.
    /// @param amount Wei claimed; of a voucher the same as `price`.
    /// @param leaf Of a voucher the head of its transcripts, calls that a claim links included.
    /// @param answerDigest Zero marks a voucher: its answers went straight to the requester.
    struct Entry {
        bytes32 jobId;
        address requester;
        uint96 price;
        uint96 amount;
        bytes32 leaf;
        bytes32 answerDigest;
    }

    /// @notice What a batch stores the digest of: keccak256(abi.encode(batchId, head)).
    /// @param entriesHash keccak256(abi.encode(Entry[])).
    struct BatchHead {
        address provider;
        uint40 committedAt;
        uint40 committedBlock;
        uint16 setVersion;
        uint16 termsVersion;
        bytes32 entriesHash;
    }

    /// @param digest keccak256(abi.encode(batchId, head)), its lowest byte zero.
    struct BatchRecord {
        bytes32 digest;
        BatchState state;
        Outcome outcome;
    }

    /// @param until FROZEN: second from which it can be forfeited.
    /// @param openedAt Second at which openings were posted on-chain; zero if never.
    /// @param appealed Whether the court holds, or held, the freeze.
    struct Freeze {
        uint40 until;
        uint40 openedAt;
        bool appealed;
    }

    /// @notice What q oracles sign for one batch.
    /// @param amount Sum of the entries' amounts for PASS, zero otherwise.
    /// @param auditors Bit i is set if the oracle of seat i audited a leaf of the batch; each gets `auditFee`.
    struct Decision {
        uint64 batchId;
        bytes32 entriesHash;
        Outcome outcome;
        uint96 amount;
        uint32 auditors;
    }

    error BatchSize(uint256 size, uint256 limit);
    error AmountOverPrice(bytes32 jobId, uint256 amount, uint256 price);
    /// @notice The lines of a batch began under different terms: commit them in one batch for each version.
    error MixedTerms(bytes32 id, uint256 version, uint256 batchVersion);
    error WrongBatchState(uint256 batchId, BatchState state);
    error BatchOfConvictedProvider(uint256 batchId, uint256 convictedThrough);
    error HeadMismatch(uint256 batchId, bytes32 given, bytes32 committed);
    error EntriesMismatch(uint256 batchId, bytes32 given, bytes32 committed);
    error LengthMismatch(uint256 left, uint256 right);
    error OutcomeNotDecidable(uint256 batchId, Outcome outcome);
    error AmountMismatch(uint256 batchId, uint256 signed, uint256 committed);
    error TooEarly(uint256 batchId, uint256 from);
    error TooLate(uint256 batchId, uint256 until);
    error IndexOutOfRange(uint256 batchId, uint256 index);
    error NothingToOpen(uint256 batchId, Outcome outcome);
    error OpeningsTooLarge(uint256 size, uint256 limit);
    error AppealedAlready(uint256 batchId);
    error SlashCeilingReached(uint256 condemned, uint256 ceiling);

    event BatchCommitted(
        uint64 indexed batchId, address indexed provider, uint16 setVersion, uint16 termsVersion, Entry[] entries
    );
    /// @notice Paid: `paid` wei of the price for the work (fee included), `refunded` wei back to the requester.
    event JobSettled(bytes32 indexed jobId, uint64 indexed batchId, uint96 paid, uint96 refunded);
    /// @param payout Wei credited to the provider.
    /// @param fee Wei kept: what pays auditors and the submitter, and the rest, which is burned.
    event BatchMatured(uint64 indexed batchId, address indexed provider, Outcome outcome, uint256 payout, uint256 fee);
    event AuditFeePaid(uint64 indexed batchId, address indexed oracle, uint96 amount);
    event SubmitFeePaid(uint64 indexed batchId, address indexed oracle, uint96 amount);
    event BatchFrozen(uint64 indexed batchId, address indexed provider, Outcome outcome, uint40 until);
    event OpeningsPosted(uint64 indexed batchId, address indexed provider, bytes[] openings);
    event BatchHeld(uint64 indexed batchId, uint40 until);
    event BatchReleased(uint64 indexed batchId, address indexed provider);
    event BatchForfeited(uint64 indexed batchId, address indexed provider);
    event BatchSkipped(uint64 indexed batchId, SkipReason reason);
    event ProviderConvicted(address indexed provider, uint64 indexed batchId, uint96 slashed, uint64 through);
    event AnswerStored(uint64 indexed batchId, uint16 index);

    /// @notice The node key commits finished work: the commitment point of every audit. Jobs come first among the
    /// entries, then vouchers; at most 128 in all, all begun under the same terms.
    /// @param claims What is claimed of vouchers that name calls in flight, in the order of the vouchers.
    /// @return batchId Ids start at 1.
    function commitBatch(
        Commitment[] calldata commitments,
        IEscrowSessions.Voucher[] calldata vouchers,
        IEscrowSessions.InFlightClaim[] calldata claims
    ) external returns (uint64 batchId);

    function batch(uint64 batchId) external view returns (BatchRecord memory);
    function freezeOf(uint64 batchId) external view returns (Freeze memory);
    /// @notice Bit i is set when the answer of entry i is recorded as stored.
    function storedBitmap(uint64 batchId) external view returns (uint256);
    function batchCount() external view returns (uint64);
    function headDigest(uint64 batchId, BatchHead calldata head) external pure returns (bytes32);
}
