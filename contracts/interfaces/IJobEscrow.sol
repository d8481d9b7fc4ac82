// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

/// @title JobEscrow: every way in and out of a requester's money
/// @notice A requester deposits once and opens jobs from its balance. A job reserves its price for the one provider
/// whose signed offer it carries. The provider is paid for work that it committed in a work batch, after a quorum of
/// oracles has said PASS; what was not used, and everything that was not delivered or not computed as promised,
/// returns to the requester and can go nowhere else.
/// @dev Job: OPEN -> COMMITTED -> SETTLED | REFUNDED(reason). Work batch: PENDING -> MATURED,
/// PENDING -> FROZEN -> FORFEITED. Every state that is not terminal has a deadline and an exit that anyone may call.
/// Amounts are wei of `MallaToken`, times are unix seconds. The rules R1 to R37 are in docs/PROTOCOL.md.
/// A job and a batch entry are kept as digests; callers pass the preimage, which the events carry.
interface IJobEscrow {
    enum JobState {
        NONE,
        OPEN,
        COMMITTED,
        SETTLED,
        REFUNDED
    }

    enum BatchState {
        NONE,
        PENDING,
        FROZEN,
        MATURED,
        FORFEITED
    }

    /// @notice Why a reserved price went back to its requester.
    enum RefundReason {
        NONE,
        DECLINED,
        CANCELLED,
        EXPIRED,
        FRAUD,
        CONVICTED,
        NOT_OPENED,
        NOT_DELIVERED
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
        PROVIDER_CONVICTED
    }

    /// @notice A provider's standing price, signed by its node key (EIP-712) and sent to oracles, never to the chain
    /// before a job carries it.
    /// @param provider Owner account of the provider.
    /// @param model keccak256 of the model manifest.
    /// @param profile keccak256 of the calibration profile under which the work is audited.
    /// @param inputPrice Wei per input token.
    /// @param outputPrice Wei per output token.
    /// @param maxInputTokens Most input tokens a job may have.
    /// @param maxOutputTokens Most output tokens a job may ask for.
    /// @param minDuration Least seconds that the provider needs from open to commit.
    /// @param maxOutstanding Ceiling on the provider's sum of open reserves, wei.
    /// @param nonce Number under which the provider can revoke it.
    /// @param expiry Unix second from which it opens nothing.
    struct Offer {
        address provider;
        bytes32 model;
        bytes32 profile;
        uint96 inputPrice;
        uint96 outputPrice;
        uint32 maxInputTokens;
        uint32 maxOutputTokens;
        uint32 minDuration;
        uint96 maxOutstanding;
        uint64 nonce;
        uint40 expiry;
    }

    /// @notice What a job id commits to: jobId = keccak256(abi.encode(chain id, escrow, job)).
    /// @param price inputTokens * inputPrice + maxOutputTokens * outputPrice, wei: the reserve.
    /// @param nonce Any number that the requester has not used with the same other fields.
    struct Job {
        address requester;
        address provider;
        bytes32 offerDigest;
        bytes32 specDigest;
        uint32 inputTokens;
        uint32 maxOutputTokens;
        uint96 price;
        uint64 nonce;
    }

    /// @notice The stored slot of a job.
    struct JobRecord {
        JobState state;
        RefundReason reason;
        uint40 openedAt;
        uint40 deadline;
        uint64 batchId;
        uint16 index;
    }

    /// @notice One line of a provider's commitment.
    /// @param amount Wei claimed, at most the price.
    /// @param leaf Digest of the transcript that an audit replays.
    /// @param answerDigest keccak256 of the sealed answer as delivered.
    struct Commitment {
        Job job;
        uint96 amount;
        bytes32 leaf;
        bytes32 answerDigest;
    }

    /// @notice A committed line as later calls need it; the batch stores keccak256(abi.encode(Entry[])).
    struct Entry {
        bytes32 jobId;
        address requester;
        uint96 price;
        uint96 amount;
        bytes32 leaf;
        bytes32 answerDigest;
    }

    struct BatchRecord {
        bytes32 entriesHash;
        address provider;
        uint32 committedAt;
        uint32 committedBlock;
        uint16 setVersion;
        BatchState state;
        Outcome outcome;
    }

    /// @notice What q oracles sign for one batch.
    /// @param amount Sum of the entries' amounts for PASS, zero otherwise.
    struct Decision {
        uint64 batchId;
        bytes32 entriesHash;
        Outcome outcome;
        uint96 amount;
    }

    /// @param reserved Sum of the prices of the provider's open jobs, wei.
    /// @param convictedAt Second of its last conviction; jobs opened until then can only be refunded.
    /// @param convictedThrough Last batch id that its last conviction reaches.
    /// @param frozenBatch The frozen batch that holds all its pending batches; zero if none.
    struct ProviderRecord {
        uint96 reserved;
        uint40 convictedAt;
        uint64 convictedThrough;
        uint56 frozenBatch;
    }

    /// @param openFee Burned at each open, wei.
    /// @param feeBps Share of a payment that is burned at maturity, rounded down.
    /// @param slashBps Share of the whole own stake that one conviction burns.
    /// @param detectionBps Probability that one audited unit of cheating is convicted, as the deterrence bound takes
    /// it.
    /// @param auditBps Probability that a leaf is drawn.
    /// @param startWindow Seconds after the opening in which the provider may decline.
    /// @param cancelDelay Seconds that a cancel leaves the provider to commit finished work.
    /// @param maxDuration Longest time from open to commit, seconds.
    /// @param openWindow Seconds after the commitment in which drawn leaves must be opened.
    /// @param maturityWindow Seconds after the commitment at which the default begins (T_max).
    /// @param evidenceWindow Seconds after T_max in which storage receipts can still be recorded.
    /// @param appealWindow Seconds that a batch stays frozen before it can be forfeited.
    /// @param drawDelay Blocks after the commitment whose hash enters the draw.
    struct Parameters {
        uint96 openFee;
        uint16 feeBps;
        uint16 slashBps;
        uint16 detectionBps;
        uint16 auditBps;
        uint32 startWindow;
        uint32 cancelDelay;
        uint32 maxDuration;
        uint32 openWindow;
        uint32 maturityWindow;
        uint32 evidenceWindow;
        uint32 appealWindow;
        uint16 drawDelay;
    }

    error ZeroAmount();
    error BalanceTooLow(address account, uint256 balance, uint256 asked);
    error OfferExpired(uint256 expiry, uint256 timestamp);
    error OfferIsRevoked(address provider, uint256 nonce);
    error OfferSignatureInvalid(address provider, address nodeKey, address recovered);
    error TokensOutOfOffer(uint256 inputTokens, uint256 maxInputTokens, uint256 outputTokens, uint256 maxOutputTokens);
    error DurationOutOfBounds(uint256 duration, uint256 least, uint256 most);
    error OutstandingTooHigh(address provider, uint256 reserved, uint256 ceiling);
    error StakeDoesNotDeter(address provider, uint256 stake, uint256 needed);
    error ZeroPrice();
    error ZeroDigest();
    error ProviderIsFrozen(address provider, uint256 batchId);
    error JobExists(bytes32 jobId);
    error WrongJobState(bytes32 jobId, JobState state);
    error NotRequester(bytes32 jobId, address caller);
    error NotProvider(bytes32 jobId, address caller);
    error DeclineTooLate(bytes32 jobId, uint256 until);
    error CancelChangesNothing(bytes32 jobId, uint256 deadline);
    error DeadlineNotReached(bytes32 jobId, uint256 deadline);
    error DeadlinePassed(bytes32 jobId, uint256 deadline);
    error JobOfConvictedProvider(bytes32 jobId, uint256 convictedAt);
    error BatchSize(uint256 size, uint256 limit);
    error AmountOverPrice(bytes32 jobId, uint256 amount, uint256 price);
    error UnknownNodeKey(address caller);
    error WrongBatchState(uint256 batchId, BatchState state);
    error BatchOfConvictedProvider(uint256 batchId, uint256 convictedThrough);
    error EntriesMismatch(uint256 batchId, bytes32 given, bytes32 committed);
    error LengthMismatch(uint256 left, uint256 right);
    error OutcomeNotDecidable(uint256 batchId, Outcome outcome);
    error AmountMismatch(uint256 batchId, uint256 signed, uint256 committed);
    error TooEarly(uint256 batchId, uint256 from);
    error TooLate(uint256 batchId, uint256 until);
    error IndexOutOfRange(uint256 batchId, uint256 index);
    error NothingToBurn();
    error ParameterOutOfBounds(string parameter, uint256 value, uint256 least, uint256 most);
    error NotWiredTo(address contractAddress);

    event Deposited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    event OfferRevoked(address indexed provider, uint64 nonce);
    event JobOpened(
        bytes32 indexed jobId,
        address indexed requester,
        address indexed provider,
        bytes32 offerDigest,
        bytes32 specDigest,
        uint32 inputTokens,
        uint32 maxOutputTokens,
        uint96 price,
        uint64 nonce,
        uint40 deadline
    );
    event JobCancelAsked(bytes32 indexed jobId, uint40 deadline);
    event JobRefunded(bytes32 indexed jobId, address indexed requester, uint96 amount, RefundReason reason);
    event BatchCommitted(uint64 indexed batchId, address indexed provider, uint16 setVersion, Entry[] entries);
    /// @notice Paid: `paid` wei of the price for the work (fee included), `refunded` wei back to the requester.
    event JobSettled(bytes32 indexed jobId, uint64 indexed batchId, uint96 paid, uint96 refunded);
    event BatchMatured(uint64 indexed batchId, address indexed provider, Outcome outcome, uint256 payout, uint256 fee);
    event BatchFrozen(uint64 indexed batchId, address indexed provider, uint40 until);
    event BatchForfeited(uint64 indexed batchId, address indexed provider);
    event BatchSkipped(uint64 indexed batchId, SkipReason reason);
    event ProviderConvicted(address indexed provider, uint64 indexed batchId, uint96 slashed, uint64 through);
    event AnswerStored(uint64 indexed batchId, uint16 index);
    event FeesBurned(uint256 amount);

    /// @notice Move `amount` of the caller's tokens into its balance.
    function deposit(uint256 amount) external;

    /// @notice `deposit` with an ERC-2612 permit in the same transaction; a permit already used is not an error as
    /// long as the allowance is there.
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Pay `amount` of the caller's free balance to the caller. Never blocked by anything.
    function withdraw(uint256 amount) external;

    /// @notice Make an offer of the caller (owner or node key) open no more jobs.
    function revokeOffer(uint64 nonce) external;

    /// @notice Reserve the price of a job for the provider whose signed offer is given; no acceptance follows.
    /// @dev Refused when the offer is expired, revoked, not signed by the provider's node key, too small for the
    /// tokens, or over its ceiling; when the provider is frozen or its active stake does not deter
    /// (slashBps * detectionBps * stake < price * (1 - detectionBps)).
    /// @param duration Seconds from now within which the provider must commit.
    function openJob(
        Offer calldata offer,
        bytes calldata offerSignature,
        bytes32 specDigest,
        uint32 inputTokens,
        uint32 maxOutputTokens,
        uint32 duration,
        uint64 nonce
    ) external returns (bytes32 jobId);

    /// @notice The provider (owner or node key) gives an open job back, within `startWindow` of its opening.
    function declineJob(Job calldata job) external;

    /// @notice The requester shortens the deadline to `cancelDelay` from now. Work that the provider commits before
    /// is still paid: a cancel can never take a finished answer for nothing.
    function cancelJob(Job calldata job) external;

    /// @notice Anyone: return the price of an open job whose deadline passed or whose provider was convicted.
    function refundJob(Job calldata job) external;

    /// @notice The node key commits finished work: the commitment point of every audit.
    /// @return batchId Ids start at 1.
    function commitBatch(Commitment[] calldata commitments) external returns (uint64 batchId);

    /// @notice Anyone: carry out decisions that a quorum of the set signed, many batches at once. A batch that is no
    /// longer pending, belongs to another set or to a frozen or convicted provider is skipped with an event.
    /// @param entries The entries of each decision's batch; empty for FRAUD.
    function settle(
        uint16 setVersion,
        Decision[] calldata decisions,
        Entry[][] calldata entries,
        bytes[] calldata signatures
    ) external;

    /// @notice Anyone, from commit until T_max + evidenceWindow: record that f + 1 oracles hold the answers at
    /// `indexes`.
    function recordStored(
        uint64 batchId,
        Entry[] calldata entries,
        uint16[] calldata indexes,
        bytes[][] calldata signatures
    ) external;

    /// @notice Anyone, after T_max + evidenceWindow, if no quorum decided: pay the entries whose answers are recorded
    /// as stored, refund the others, slash nobody.
    function matureByDefault(uint64 batchId, Entry[] calldata entries) external;

    /// @notice Anyone: end a frozen batch after the appeal window (this convicts and slashes its provider once), or
    /// give back a pending batch of a convicted provider. Returns every entry's full price to its requester.
    function forfeit(uint64 batchId, Entry[] calldata entries) external;

    /// @notice Anyone: burn the fees taken so far.
    function burnFees() external;

    function balanceOf(address account) external view returns (uint256);
    /// @notice A job's state as of now, derived from its batch once it is committed.
    function job(bytes32 jobId) external view returns (JobRecord memory);
    function batch(uint64 batchId) external view returns (BatchRecord memory);
    function providerRecord(address provider) external view returns (ProviderRecord memory);
    function frozenUntil(uint64 batchId) external view returns (uint40);
    /// @notice Bit i is set when the answer of entry i is recorded as stored.
    function storedBitmap(uint64 batchId) external view returns (uint256);
    function batchCount() external view returns (uint64);
    function isOfferRevoked(address provider, uint64 nonce) external view returns (bool);
    function feesToBurn() external view returns (uint256);
    function parameters() external view returns (Parameters memory);
    function jobIdOf(Job calldata job) external view returns (bytes32);
    function offerDigest(Offer calldata offer) external view returns (bytes32);
    function settlementDigest(uint16 setVersion, Decision[] calldata decisions) external view returns (bytes32);
    function storageReceiptDigest(bytes32 blob) external view returns (bytes32);
    function token() external view returns (address);
    function staking() external view returns (address);
    function committee() external view returns (address);
}
