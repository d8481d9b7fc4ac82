// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBatches} from "./escrow/IEscrowBatches.sol";
import {IGoverned} from "./IGoverned.sol";

/// @title OracleCommittee: who may sign a settlement
/// @notice Oracles with a seat lock a stake and become signers. With n signers up to f = floor((n - 1) / 3) may fail
/// in any way; a decision needs q = floor((n + f) / 2) + 1 signatures, so two decisions that contradict each other
/// share an honest signer.
/// @dev Each join and each resignation makes a new set version and leaves the old ones readable: a work batch is
/// decided by the set under which it was committed. A member that resigned may still sign for the versions that it
/// belongs to, and its stake stays locked for `stakeDelay`, which is longer than any such batch can stay open.
interface IOracleCommittee is IGoverned {
    /// @param stake Locked wei.
    /// @param releaseAt Unix second from which a resigned oracle may withdraw; zero while it is a member.
    /// @param anchorEpoch The first epoch of its reveal chain.
    /// @param anchor SHA-256 chain anchor: SHA-256 applied (epoch - anchorEpoch + 1) times to the reveal of an epoch.
    /// @param encryptionKey X25519 public key to which openings are sealed.
    /// @param url Where its api answers.
    struct Oracle {
        uint96 stake;
        uint40 releaseAt;
        uint64 anchorEpoch;
        bytes32 anchor;
        bytes32 encryptionKey;
        string url;
    }

    error NoSeat(address oracle);
    error AlreadyMember(address oracle);
    error NotMember(address oracle);
    error StillReleasing(address oracle, uint256 releaseAt);
    error NothingToWithdraw(address oracle);
    error ZeroKey();
    error UrlLength(uint256 length, uint256 limit);
    error UnknownSetVersion(uint256 setVersion);
    error TooFewSignatures(uint256 given, uint256 needed);
    error SignerNotMember(address signer, uint256 setVersion);
    /// @notice Signatures must come in strictly ascending order of their signers, which makes a repeat impossible.
    error SignersNotAscending(address previous, address signer);
    error SeatsOutOfBounds(uint256 seats, uint256 limit);
    error DuplicateSeat(address seat);
    /// @notice So many set versions exist that a further join could leave a member without one to resign into.
    error VersionsExhausted(uint256 setVersion);

    error NotEquivocation(address oracle, uint256 batchId);
    error EquivocationProved(address oracle);
    error NotSignedBy(address oracle, address recovered);

    event SeatAdded(address indexed oracle, uint256 seat);
    event SeatRemoved(address indexed oracle, uint256 seat);
    event SeatStakeChanged(uint96 seatStake);
    event StakeDelayChanged(uint32 stakeDelay);
    /// @param burned Wei of its stake that were burned; `share` went to the reporter.
    event OracleSlashed(address indexed oracle, address indexed reporter, uint64 batchId, uint96 burned, uint96 share);
    event OracleJoined(
        address indexed oracle,
        uint16 indexed setVersion,
        string url,
        bytes32 encryptionKey,
        bytes32 anchor,
        uint64 anchorEpoch
    );
    event OracleResigned(address indexed oracle, uint16 indexed setVersion, uint40 releaseAt);
    event OracleUrlChanged(address indexed oracle, string url);
    event OracleWithdrawn(address indexed oracle, uint96 amount);

    /// @notice Take the seat: locks `seatStake` of the caller's tokens and makes a new set version that includes it.
    function join(string calldata url, bytes32 encryptionKey, bytes32 anchor) external;

    /// @notice Leave: makes a new set version without the caller. Never blocked, whatever is left of the committee:
    /// below a quorum every batch still matures by default.
    function resign() external;

    /// @notice Pay a resigned oracle its stake, after `stakeDelay`.
    function withdraw() external returns (uint96 amount);

    function setUrl(string calldata url) external;

    /// @notice Reverts unless `signatures` are q valid EIP-712 signatures over `digest` by distinct members of the set.
    function requireQuorum(uint16 setVersion, bytes32 digest, bytes[] calldata signatures) external view;

    /// @notice Reverts unless `signatures` are f + 1 such signatures: at least one is honest.
    function requireOneHonest(uint16 setVersion, bytes32 digest, bytes[] calldata signatures) external view;

    /// @notice Anyone: two settlements that the same oracle signed for the same set version, which decide batch
    /// `batchId` in two ways (outcome, amount, entries or auditors). Burns its whole stake but the reporter's tenth,
    /// ends its seat, and its signatures count for no set version any more.
    /// @dev The settlement digests are those of the escrow's domain. A resigned oracle is slashed until it withdraws;
    /// one that withdrew loses its seat. The first decision about the batch in `one` is held against each in `other`,
    /// so a single list that contradicts itself is proved by passing it twice. NOT_OPENED beside another outcome is no
    /// contradiction once the openings were posted on-chain: the batch is then decided anew.
    function proveEquivocation(
        address oracle,
        uint16 setVersion,
        uint64 batchId,
        IEscrowBatches.Decision[] calldata one,
        bytes calldata signatureOne,
        IEscrowBatches.Decision[] calldata other,
        bytes calldata signatureOther
    ) external;

    /// @notice Governance: a further account may join; at most 32 seats ever.
    function addSeat(address oracle) external;

    /// @notice Governance: end a seat for good. A member leaves the set at once and its stake is released after the
    /// delay; it may still sign for the versions that it belongs to.
    function removeSeat(address oracle) external;

    /// @notice Governance: what the next oracles to join lock, 1 wei to 100,000,000 tokens.
    function setSeatStake(uint96 seatStake) external;

    /// @notice Governance: not below the escrow's longest way plus the court's ruling window, nor above 90 days. Stakes
    /// that are being released keep their second.
    function setStakeDelay(uint32 stakeDelay) external;

    /// @notice quorum * smallest stake of a member / 2 of the present set, wei, rounded down: what a captured quorum
    /// would lose, halved.
    function cover() external view returns (uint256);
    /// @notice Whose turn it is to submit decisions of the set: member (block.number / 4 + setVersion) mod n, in the
    /// order of the seats; zero for an empty set.
    function proposer(uint16 setVersion) external view returns (address);
    /// @notice The accounts of the seats whose bits are set, in the order of the seats; unknown bits are left out.
    function seatAccounts(uint32 bitmap) external view returns (address[] memory);

    function version() external view returns (uint16);
    /// @notice Members of a set version in the order of their seats: the order in which auditors are named. It never
    /// changes, not even when an equivocation takes a member's signatures away.
    function members(uint16 setVersion) external view returns (address[] memory);
    function isMember(uint16 setVersion, address oracle) external view returns (bool);
    /// @notice Whether the account may be a member: it was given a seat that was not ended since.
    function hasSeat(address oracle) external view returns (bool);
    function faults(uint16 setVersion) external view returns (uint256);
    function quorum(uint16 setVersion) external view returns (uint256);
    function oracle(address account) external view returns (Oracle memory);
    function seatStake() external view returns (uint96);
    function stakeDelay() external view returns (uint32);
    /// @notice Blocks in an epoch: epoch = block number / epochBlocks, rounded down.
    function epochBlocks() external view returns (uint32);
    function escrow() external view returns (address);
}
