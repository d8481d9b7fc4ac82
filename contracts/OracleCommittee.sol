// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IMallaToken} from "./interfaces/IMallaToken.sol";
import {IOracleCommittee} from "./interfaces/IOracleCommittee.sol";

/// @title OracleCommittee: who may sign a settlement
/// @notice The manual is `IOracleCommittee`.
contract OracleCommittee is IOracleCommittee {
    using SafeERC20 for IMallaToken;

    /// @dev Bit i of `bitmap` is the oracle of seat i. The size is kept, because each settlement asks for it.
    struct MemberSet {
        uint32 bitmap;
        uint8 size;
    }

    uint256 private constant MAX_SEATS = 32;
    uint256 private constant MAX_URL_BYTES = 200;

    IMallaToken private immutable _token;
    /// @inheritdoc IOracleCommittee
    uint96 public immutable seatStake;
    /// @inheritdoc IOracleCommittee
    uint32 public immutable stakeDelay;
    /// @inheritdoc IOracleCommittee
    uint32 public immutable epochBlocks;

    /// @inheritdoc IOracleCommittee
    uint16 public version;
    address[] private _seats;
    /// @dev Number of the seat plus one; zero for an account without a seat.
    mapping(address account => uint256) private _seatNumber;
    /// @dev Version 0 is the empty set before the first join.
    mapping(uint16 setVersion => MemberSet) private _sets;
    mapping(address account => Oracle) private _oracles;

    /// @param token_ The token that is staked.
    /// @param seats_ Accounts that may join, at most 32; their order is the order in which auditors are named.
    /// @param seatStake_ Wei that each locks.
    /// @param stakeDelay_ Seconds from `resign` to `withdraw`.
    /// @param epochBlocks_ Blocks in an epoch.
    constructor(
        IMallaToken token_,
        address[] memory seats_,
        uint96 seatStake_,
        uint32 stakeDelay_,
        uint32 epochBlocks_
    ) {
        if (seats_.length == 0 || seats_.length > MAX_SEATS) {
            revert SeatsOutOfBounds(seats_.length, MAX_SEATS);
        }
        _requireBounds("seatStake", seatStake_, 1, 1e8 ether);
        _requireBounds("stakeDelay", stakeDelay_, 1 minutes, 90 days);
        _requireBounds("epochBlocks", epochBlocks_, 1, 1_000_000);
        _token = token_;
        seatStake = seatStake_;
        stakeDelay = stakeDelay_;
        epochBlocks = epochBlocks_;
        for (uint256 i; i < seats_.length; ++i) {
            if (seats_[i] == address(0)) revert NoSeat(address(0));
            if (_seatNumber[seats_[i]] != 0) revert DuplicateSeat(seats_[i]);
            _seatNumber[seats_[i]] = i + 1;
        }
        _seats = seats_;
    }

    /// @inheritdoc IOracleCommittee
    function join(string calldata url, bytes32 encryptionKey, bytes32 anchor) external {
        uint32 bit = _seatBit(msg.sender);
        Oracle storage self = _oracles[msg.sender];
        if (bit == 0) revert NoSeat(msg.sender);
        if (_sets[version].bitmap & bit != 0) revert AlreadyMember(msg.sender);
        if (self.stake != 0) revert StillReleasing(msg.sender, self.releaseAt);
        if (encryptionKey == 0 || anchor == 0) revert ZeroKey();
        _requireUrl(url);
        // Leaves one version for the resignation of each member, so that leaving is never blocked.
        if (version >= type(uint16).max - MAX_SEATS) revert VersionsExhausted(version);

        uint64 epoch = uint64(block.number / epochBlocks);
        _oracles[msg.sender] = Oracle(seatStake, 0, epoch, anchor, encryptionKey, url);
        uint16 next = _nextSet(bit, true);
        emit OracleJoined(msg.sender, next, url, encryptionKey, anchor, epoch);
        _token.safeTransferFrom(msg.sender, address(this), seatStake);
    }

    /// @inheritdoc IOracleCommittee
    function resign() external {
        uint32 bit = _requireMember();

        uint40 releaseAt = uint40(block.timestamp + stakeDelay);
        _oracles[msg.sender].releaseAt = releaseAt;
        uint16 next = _nextSet(bit, false);
        emit OracleResigned(msg.sender, next, releaseAt);
    }

    /// @inheritdoc IOracleCommittee
    function withdraw() external returns (uint96 amount) {
        Oracle storage self = _oracles[msg.sender];
        amount = self.stake;
        uint40 releaseAt = self.releaseAt;
        if (amount == 0 || releaseAt == 0) revert NothingToWithdraw(msg.sender);
        if (block.timestamp < releaseAt) revert StillReleasing(msg.sender, releaseAt);

        self.stake = 0;
        emit OracleWithdrawn(msg.sender, amount);
        _token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IOracleCommittee
    function setUrl(string calldata url) external {
        _requireMember();
        _requireUrl(url);
        _oracles[msg.sender].url = url;
        emit OracleUrlChanged(msg.sender, url);
    }

    /// @inheritdoc IOracleCommittee
    function requireQuorum(uint16 setVersion, bytes32 digest, bytes[] calldata signatures) external view {
        MemberSet memory set = _set(setVersion);
        _requireSignatures(setVersion, set.bitmap, _quorum(set.size), digest, signatures);
    }

    /// @inheritdoc IOracleCommittee
    function requireOneHonest(uint16 setVersion, bytes32 digest, bytes[] calldata signatures) external view {
        MemberSet memory set = _set(setVersion);
        _requireSignatures(setVersion, set.bitmap, _faults(set.size) + 1, digest, signatures);
    }

    /// @inheritdoc IOracleCommittee
    function members(uint16 setVersion) external view returns (address[] memory list) {
        MemberSet memory set = _set(setVersion);
        list = new address[](set.size);
        uint256 found;
        for (uint256 i; found < set.size; ++i) {
            if (set.bitmap & (uint32(1) << uint32(i)) != 0) list[found++] = _seats[i];
        }
    }

    /// @inheritdoc IOracleCommittee
    function isMember(uint16 setVersion, address account) external view returns (bool) {
        return _set(setVersion).bitmap & _seatBit(account) != 0;
    }

    /// @inheritdoc IOracleCommittee
    function hasSeat(address account) external view returns (bool) {
        return _seatNumber[account] != 0;
    }

    /// @inheritdoc IOracleCommittee
    function faults(uint16 setVersion) external view returns (uint256) {
        return _faults(_set(setVersion).size);
    }

    /// @inheritdoc IOracleCommittee
    function quorum(uint16 setVersion) external view returns (uint256) {
        return _quorum(_set(setVersion).size);
    }

    /// @inheritdoc IOracleCommittee
    function oracle(address account) external view returns (Oracle memory) {
        return _oracles[account];
    }

    function _requireSignatures(
        uint16 setVersion,
        uint32 bitmap,
        uint256 needed,
        bytes32 digest,
        bytes[] calldata signatures
    ) private view {
        if (signatures.length < needed) revert TooFewSignatures(signatures.length, needed);
        address previous;
        for (uint256 i; i < signatures.length; ++i) {
            // A malformed or malleable signature recovers to zero, which is no member.
            (address signer,,) = ECDSA.tryRecoverCalldata(digest, signatures[i]);
            if (bitmap & _seatBit(signer) == 0) revert SignerNotMember(signer, setVersion);
            if (signer <= previous) revert SignersNotAscending(previous, signer);
            previous = signer;
        }
    }

    function _nextSet(uint32 bit, bool joins) private returns (uint16 next) {
        MemberSet memory set = _sets[version];
        next = ++version;
        _sets[next] = MemberSet(set.bitmap ^ bit, joins ? set.size + 1 : set.size - 1);
    }

    function _requireMember() private view returns (uint32 bit) {
        bit = _seatBit(msg.sender);
        if (_sets[version].bitmap & bit == 0) revert NotMember(msg.sender);
    }

    function _set(uint16 setVersion) private view returns (MemberSet memory) {
        if (setVersion > version) revert UnknownSetVersion(setVersion);
        return _sets[setVersion];
    }

    function _seatBit(address account) private view returns (uint32) {
        uint256 number = _seatNumber[account];
        return number == 0 ? 0 : uint32(1) << uint32(number - 1);
    }

    function _faults(uint256 size) private pure returns (uint256) {
        return size == 0 ? 0 : (size - 1) / 3;
    }

    function _quorum(uint256 size) private pure returns (uint256) {
        return (size + _faults(size)) / 2 + 1;
    }

    function _requireUrl(string calldata url) private pure {
        uint256 length = bytes(url).length;
        if (length == 0 || length > MAX_URL_BYTES) revert UrlLength(length, MAX_URL_BYTES);
    }

    function _requireBounds(string memory parameter, uint256 value, uint256 least, uint256 most) private pure {
        if (value < least || value > most) revert ParameterOutOfBounds(parameter, value, least, most);
    }
}
