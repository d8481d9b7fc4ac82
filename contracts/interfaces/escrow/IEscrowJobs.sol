// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

/// @title IEscrowJobs: offers, and reserved prices from opening until the provider commits or the money returns
/// @dev A job is kept as a digest; callers pass the preimage, which the events carry.
interface IEscrowJobs {
    enum JobState {
        NONE,
        OPEN,
        COMMITTED,
        SETTLED,
        REFUNDED
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

    /// @notice A provider's standing price, signed by its node key (EIP-712) and sent to oracles, never to the chain
    /// before a job or session carries it.
    /// @param provider Owner account of the provider.
    /// @param model keccak256 of the model manifest.
    /// @param profile keccak256 of the calibration profile under which the work is audited.
    /// @param inputPrice Wei per input token.
    /// @param outputPrice Wei per output token.
    /// @param maxInputTokens Most input tokens a job or a call of a session may have.
    /// @param maxOutputTokens Most output tokens a job or a call may ask for.
    /// @param minDuration Least seconds that the provider needs from open to commit.
    /// @param maxOutstanding Ceiling on the provider's sum of open reserves, wei; sessions do not count.
    /// @param nonce Its number: the provider revokes all its offers below a number at once.
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
        uint16 termsVersion;
    }

    /// @param reserved Sum of the prices of the provider's open jobs, wei.
    /// @param convictedAt Second of its last conviction; what was opened until then can only be refunded.
    /// @param convictedThrough Last batch id that its last conviction reaches.
    /// @param frozenBatch Nonzero while a batch of it is frozen, which holds all its pending ones: the one frozen last.
    /// @param offersFrom Offers with a lower nonce open nothing.
    struct ProviderRecord {
        uint96 reserved;
        uint32 convictedAt;
        uint40 convictedThrough;
        uint40 frozenBatch;
        uint48 offersFrom;
    }

    error OfferExpired(uint256 expiry, uint256 timestamp);
    error OfferIsRevoked(address provider, uint256 nonce, uint256 offersFrom);
    error OfferSignatureInvalid(address provider, address nodeKey, address recovered);
    error OffersRevokedAlready(address provider, uint256 offersFrom);
    error TokensOutOfOffer(uint256 inputTokens, uint256 maxInputTokens, uint256 outputTokens, uint256 maxOutputTokens);
    error DurationOutOfBounds(uint256 duration, uint256 least, uint256 most);
    error OutstandingTooHigh(address provider, uint256 reserved, uint256 ceiling);
    error StakeDoesNotDeter(address provider, uint256 stake, uint256 needed);
    error ZeroPrice();
    error ZeroDigest();
    error ProviderIsFrozen(address provider, uint256 batchId);
    error JobExists(bytes32 jobId);
    error WrongJobState(bytes32 jobId, JobState state);
    error NotRequester(bytes32 id, address caller);
    error NotProvider(bytes32 id, address caller);
    error DeclineTooLate(bytes32 jobId, uint256 until);
    error CancelChangesNothing(bytes32 jobId, uint256 deadline);
    error DeadlineNotReached(bytes32 jobId, uint256 deadline);
    error DeadlinePassed(bytes32 jobId, uint256 deadline);
    error JobOfConvictedProvider(bytes32 jobId, uint256 convictedAt);
    error UnknownNodeKey(address caller);

    event OffersRevoked(address indexed provider, uint48 below);
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

    /// @notice Make every offer of the caller (owner or node key) with a nonce below `below` open nothing any more.
    function revokeOffers(uint48 below) external;

    /// @notice Reserve the price of a job for the provider whose signed offer is given; no acceptance follows.
    /// @dev Refused when paused; when the offer is expired, revoked, not signed by the provider's node key, too small
    /// for the tokens, or over its ceiling; when the provider is frozen or its active stake does not deter
    /// (slashBps * (1 - challengerBps) * detectionBps * stake < price * (1 - detectionBps)); when the escrow's exposure
    /// would exceed its coverage.
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

    /// @notice A job's state as of now, derived from its batch once it is committed.
    function job(bytes32 jobId) external view returns (JobRecord memory);
    function providerRecord(address provider) external view returns (ProviderRecord memory);
    function isOfferRevoked(address provider, uint64 nonce) external view returns (bool);
    function jobIdOf(Job calldata job) external view returns (bytes32);
    function offerDigest(Offer calldata offer) external view returns (bytes32);
}
