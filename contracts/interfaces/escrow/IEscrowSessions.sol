// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowJobs} from "./IEscrowJobs.sol";

/// @title IEscrowSessions: reserved caps, metered call by call with vouchers
/// @notice A session reserves a cap of the requester's money, never of the provider's stake. The requester signs
/// running totals (vouchers) off-chain; the provider commits the last one in a work batch and is paid what it adds.
/// Session: OPEN -> CLOSING -> CLOSED. Closing, and revoking a key, take effect after `claimDelay`.
/// @dev A session is kept as one slot under an id that commits to all its fields; callers pass the preimage.
interface IEscrowSessions {
    enum SessionState {
        NONE,
        OPEN,
        CLOSING,
        CLOSED
    }

    /// @notice What a session id commits to: sessionId = keccak256(abi.encode(chain id, escrow, session)).
    /// @param key The requester's sub-key that may sign vouchers besides the requester; zero for none.
    /// @param largestCall Price of the largest call that the offer allows, wei: what the stake had to deter.
    /// @param openedAt Unix second of the opening.
    struct Session {
        address requester;
        address provider;
        bytes32 offerDigest;
        address key;
        uint96 largestCall;
        uint40 openedAt;
        uint64 nonce;
    }

    /// @notice The stored slot of a session.
    /// @param cap Wei reserved so far, top-ups included.
    /// @param committed Cumulative amount that the last committed voucher claimed, wei.
    /// @param endsAt OPEN: second from which anyone may close it. CLOSING: second from which nothing can be committed.
    struct SessionRecord {
        SessionState state;
        uint96 cap;
        uint96 committed;
        uint40 endsAt;
        uint16 termsVersion;
    }

    /// @notice The requester's signed running total of a session.
    /// @param amount The most that may be claimed, cumulative wei since the session opened.
    /// @param units Cumulative tokens, input and output.
    /// @param calls Cumulative number of calls.
    /// @param head Chained head of the transcripts.
    /// @param inFlight Names the calls for which `amount` pays beyond `calls`: keccak256 of their spec digests, one
    /// after the other in ascending order; zero if there are none. A voucher that names some needs an `InFlightClaim`.
    /// @param r First word of the signature over `Voucher(bytes32 session,uint96 amount,uint64 units,uint32
    /// calls,bytes32 head,bytes32 inFlight)` in the escrow's EIP-712 domain, by the requester or the session's key.
    /// @param vs Second word, compact (EIP-2098).
    struct Voucher {
        Session session;
        uint96 amount;
        uint64 units;
        uint32 calls;
        bytes32 head;
        bytes32 inFlight;
        bytes32 r;
        bytes32 vs;
    }

    /// @notice What the provider claims of a voucher: less than it allows, and calls that ended beyond its `calls`.
    /// @param voucher Place of the voucher among those of the batch, from 0.
    /// @param amount Cumulative wei claimed, at most the voucher's.
    /// @param units Tokens of the linked calls, on top of the voucher's.
    /// @param links keccak256(spec digest, leaf) of each call beyond the voucher's `calls`, in the order of their
    /// numbers. With links the entry's head is h = keccak256(head, inFlight), then h = keccak256(h, link) for each:
    /// what is claimed of calls in flight is fixed before it is drawn, and has specs that the requester signed.
    struct InFlightClaim {
        uint16 voucher;
        uint96 amount;
        uint64 units;
        bytes32[] links;
    }

    /// @notice The running totals that a committed voucher claims. Its session, and what it adds, stand in its entry.
    struct Claim {
        uint96 amount;
        uint64 units;
        uint32 calls;
    }

    /// @notice A requester's sub-key.
    /// @param cap Wei of sessions that may be open for it over its life; what a session returns counts as unused.
    /// @param used Wei of it that sessions hold or have spent.
    /// @param endsAt Second from which its vouchers cannot be committed; zero if it was never authorised.
    /// @param anyModel Whether it may open sessions for every model.
    struct KeyRecord {
        uint96 cap;
        uint96 used;
        uint40 endsAt;
        bool anyModel;
    }

    error SessionExists(bytes32 sessionId);
    error WrongSessionState(bytes32 sessionId, SessionState state);
    error SessionNotOver(bytes32 sessionId, uint256 endsAt);
    error ClaimsTooLate(bytes32 sessionId, uint256 until);
    error SessionOfConvictedProvider(bytes32 sessionId, uint256 convictedAt);
    error VoucherAddsNothing(bytes32 sessionId, uint256 amount, uint256 committed);
    error VoucherOverCap(bytes32 sessionId, uint256 amount, uint256 cap);
    /// @notice The voucher names calls in flight: claim what ended calls cost, and nothing in advance.
    error ClaimMissing(bytes32 sessionId);
    error ClaimOverVoucher(bytes32 sessionId, uint256 claimed, uint256 signed);
    /// @notice Links claim calls beyond the voucher's, and it names none.
    error NothingInFlight(bytes32 sessionId);
    /// @notice Claims stand in the order of their vouchers, at most one for each; this one fits no voucher.
    error ClaimMisplaced(uint256 claim, uint256 voucher);
    error VoucherSignatureInvalid(bytes32 sessionId, address recovered);
    error KeyNotAuthorised(address requester, address key);
    error KeyExists(address requester, address key);
    error KeyExpired(address requester, address key, uint256 endsAt);
    error KeyCapTooLow(address requester, address key, uint256 left, uint256 asked);
    error ModelNotAllowed(address key, bytes32 model);
    error TooManyModels(uint256 count, uint256 limit);

    event SessionOpened(
        bytes32 indexed sessionId,
        address indexed requester,
        address indexed provider,
        bytes32 offerDigest,
        address key,
        uint96 largestCall,
        uint64 nonce,
        uint96 cap,
        uint40 endsAt
    );
    event SessionToppedUp(bytes32 indexed sessionId, uint96 added, uint96 cap);
    event SessionClosing(bytes32 indexed sessionId, uint40 claimUntil);
    event SessionClosed(bytes32 indexed sessionId, uint96 committed, uint96 refunded);
    /// @param claims One for each voucher, in the order of the vouchers among the entries of `BatchCommitted`.
    event VouchersCommitted(uint64 indexed batchId, Claim[] claims);
    /// @notice Every voucher of the batch is paid its entry's `amount`, fee included.
    /// @param paid Their sum, wei.
    event VouchersSettled(uint64 indexed batchId, uint256 paid);
    event VoucherRefunded(
        bytes32 indexed sessionId, address indexed requester, uint96 amount, IEscrowJobs.RefundReason reason
    );
    event KeyAuthorised(address indexed requester, address indexed key, uint96 cap, uint40 endsAt, bytes32[] models);
    event KeyRevoked(address indexed requester, address indexed key, uint40 endsAt);

    /// @notice Reserve `cap` for calls to the provider whose signed offer is given.
    /// @dev Refused as `openJob` is, with the offer's largest call as the price that the stake must deter; a session
    /// adds to the exposure only what its committed vouchers claim.
    /// @param duration Seconds after which anyone may close it, at most `maxSession`.
    /// @param key A sub-key of the caller that may sign vouchers, or zero.
    function openSession(
        IEscrowJobs.Offer calldata offer,
        bytes calldata offerSignature,
        uint96 cap,
        uint32 duration,
        address key,
        uint64 nonce
    ) external returns (bytes32 sessionId);

    /// @notice The requester adds `amount` to the cap of an open session.
    function topUpSession(Session calldata session, uint96 amount) external;

    /// @notice Requester or provider (owner or node key) at any time, anyone after `endsAt`: begin to close. The
    /// provider may still commit vouchers for `claimDelay`.
    function closeSession(Session calldata session) external;

    /// @notice Anyone, after the claim delay, or at once if the provider was convicted since the opening: return what
    /// no committed voucher claims to the requester.
    function finishSession(Session calldata session) external;

    /// @notice Let `key` sign vouchers of sessions that the caller opens for it, up to `cap` wei in all until `endsAt`,
    /// for `models` only, or for every model if the list is empty. At most 16 models; a key is authorised once.
    function authoriseKey(address key, uint96 cap, uint40 endsAt, bytes32[] calldata models) external;

    /// @notice Vouchers of the key can be committed for `claimDelay` more, and no session opens for it any more.
    function revokeKey(address key) external;

    function session(bytes32 sessionId) external view returns (SessionRecord memory);
    function keyRecord(address requester, address key) external view returns (KeyRecord memory);
    function isModelAllowed(address requester, address key, bytes32 model) external view returns (bool);
    function sessionIdOf(Session calldata session) external view returns (bytes32);
    function voucherDigest(bytes32 sessionId, uint96 amount, uint64 units, uint32 calls, bytes32 head, bytes32 inFlight)
        external
        view
        returns (bytes32);
}
