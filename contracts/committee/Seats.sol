// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Governed} from "../governance/Governed.sol";
import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {IMallaToken} from "../interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../interfaces/IOracleCommittee.sol";
import {IEscrowTerms} from "../interfaces/escrow/IEscrowTerms.sol";
import {Intake} from "../libraries/Intake.sol";

/// @title Seats: who belongs to the committee, since when, and with what stake
/// @dev A seat is a number that an account gets once. What is kept about seats are bits of one word, so that a set of
/// members is one slot, and what a check of signatures must know about all sets lies beside `version`.
abstract contract Seats is Governed, IOracleCommittee {
    using Intake for IMallaToken;
    using SafeERC20 for IMallaToken;

    /// @dev Bit i of `bitmap` is the oracle of seat i. The size is kept, because each settlement asks for it.
    struct MemberSet {
        uint32 bitmap;
        uint8 size;
    }

    uint256 private constant MAX_SEATS = 32;
    uint256 private constant MAX_URL_BYTES = 200;

    IMallaToken internal immutable _token;
    /// @inheritdoc IOracleCommittee
    address public immutable escrow;
    /// @inheritdoc IOracleCommittee
    uint32 public immutable epochBlocks;

    /// @inheritdoc IOracleCommittee
    uint16 public version;
    uint8 private _seatCount;
    /// @dev Bit i: the seat was removed, or its oracle contradicted itself.
    uint32 private _ended;
    /// @dev Bit i: the oracle contradicted itself, and its signatures count nowhere. In the slot of `version`, which
    /// each check of signatures reads anyway.
    uint32 internal _equivocated;
    /// @inheritdoc IOracleCommittee
    uint96 public seatStake;
    /// @inheritdoc IOracleCommittee
    uint32 public stakeDelay;
    address[MAX_SEATS] internal _seats;
    /// @dev Number of the seat plus one; zero for an account that never had one.
    mapping(address account => uint256) private _seatNumber;
    /// @dev Version 0 is the empty set before the first join.
    mapping(uint16 setVersion => MemberSet) internal _sets;
    mapping(address account => Oracle) internal _oracles;

    /// @param token_ The token that is staked.
    /// @param escrow_ Told of each change of the set; its settlements are what equivocation is about.
    /// @param seats_ Accounts that may join, at most 32; their order is the order in which auditors are named.
    /// @param seatStake_ Wei that each locks.
    /// @param stakeDelay_ Seconds from `resign` to `withdraw`.
    /// @param epochBlocks_ Blocks in an epoch.
    constructor(
        IMallaToken token_,
        address escrow_,
        address governor_,
        address[] memory seats_,
        uint96 seatStake_,
        uint32 stakeDelay_,
        uint32 epochBlocks_
    ) Governed(governor_) {
        if (escrow_ == address(0)) revert NotWiredTo(escrow_);
        if (seats_.length == 0 || seats_.length > MAX_SEATS) {
            revert SeatsOutOfBounds(seats_.length, MAX_SEATS);
        }
        _requireBounds("epochBlocks", epochBlocks_, 1, 1_000_000);
        _token = token_;
        escrow = escrow_;
        epochBlocks = epochBlocks_;
        _setSeatStake(seatStake_);
        // The escrow is deployed later: its constructor compares the delay with its own windows.
        _setStakeDelay(stakeDelay_, 1 minutes);
        for (uint256 i; i < seats_.length; ++i) {
            _addSeat(seats_[i]);
        }
    }

    /// @inheritdoc IOracleCommittee
    function join(string calldata url, bytes32 encryptionKey, bytes32 anchor) external {
        uint32 bit = _seatBit(msg.sender) & ~_ended;
        Oracle storage self = _oracles[msg.sender];
        if (bit == 0) revert NoSeat(msg.sender);
        if (_sets[version].bitmap & bit != 0) revert AlreadyMember(msg.sender);
        if (self.stake != 0) revert StillReleasing(msg.sender, self.releaseAt);
        if (encryptionKey == 0 || anchor == 0) revert ZeroKey();
        _requireUrl(url);
        // Leaves one version for each member to leave with, so that leaving is never blocked.
        if (version >= type(uint16).max - MAX_SEATS) revert VersionsExhausted(version);

        uint96 amount = seatStake;
        uint64 epoch = uint64(block.number / epochBlocks);
        _oracles[msg.sender] = Oracle(amount, 0, epoch, anchor, encryptionKey, url);
        uint16 next = _nextSet(bit, true);
        emit OracleJoined(msg.sender, next, url, encryptionKey, anchor, epoch);
        _token.pull(amount);
        IEscrowTerms(escrow).refreshCoverage();
    }

    /// @inheritdoc IOracleCommittee
    function resign() external {
        _leave(msg.sender, _requireMember());
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
    function addSeat(address account) external {
        _requireGovernor();
        _addSeat(account);
    }

    /// @inheritdoc IOracleCommittee
    function removeSeat(address account) external {
        _requireGovernor();
        uint32 bit = _seatBit(account) & ~_ended;
        if (bit == 0) revert NoSeat(account);
        _endSeat(account, bit);
    }

    /// @inheritdoc IOracleCommittee
    function setSeatStake(uint96 seatStake_) external {
        _requireGovernor();
        _setSeatStake(seatStake_);
    }

    /// @inheritdoc IOracleCommittee
    function setStakeDelay(uint32 stakeDelay_) external {
        _requireGovernor();
        IEscrowTerms terms = IEscrowTerms(escrow);
        uint256 least = terms.longestWay() + IDisputeCourt(terms.wiring().court).rulingWindow();
        _setStakeDelay(stakeDelay_, least);
    }

    /// @inheritdoc IOracleCommittee
    function seatAccounts(uint32 bitmap) external view returns (address[] memory) {
        return _accounts(bitmap & uint32((uint256(1) << _seatCount) - 1));
    }

    /// @inheritdoc IOracleCommittee
    function members(uint16 setVersion) external view returns (address[] memory) {
        return _accounts(_set(setVersion).bitmap);
    }

    /// @inheritdoc IOracleCommittee
    function isMember(uint16 setVersion, address account) external view returns (bool) {
        return _set(setVersion).bitmap & _seatBit(account) != 0;
    }

    /// @inheritdoc IOracleCommittee
    function hasSeat(address account) public view returns (bool) {
        return _seatBit(account) & ~_ended != 0;
    }

    /// @inheritdoc IOracleCommittee
    function oracle(address account) external view returns (Oracle memory) {
        return _oracles[account];
    }

    function _addSeat(address account) private {
        uint8 seat = _seatCount;
        if (seat == MAX_SEATS) revert SeatsOutOfBounds(MAX_SEATS + 1, MAX_SEATS);
        if (account == address(0)) revert NoSeat(account);
        if (_seatNumber[account] != 0) revert DuplicateSeat(account);
        _seats[seat] = account;
        _seatNumber[account] = ++_seatCount;
        emit SeatAdded(account, seat);
    }

    /// @dev For good. A member leaves the set at once.
    function _endSeat(address account, uint32 bit) internal {
        _ended |= bit;
        emit SeatRemoved(account, _seatNumber[account] - 1);
        if (_sets[version].bitmap & bit != 0) _leave(account, bit);
    }

    function _leave(address account, uint32 bit) private {
        uint40 releaseAt = uint40(block.timestamp + stakeDelay);
        _oracles[account].releaseAt = releaseAt;
        emit OracleResigned(account, _nextSet(bit, false), releaseAt);
        IEscrowTerms(escrow).refreshCoverage();
    }

    function _nextSet(uint32 bit, bool joins) private returns (uint16 next) {
        MemberSet memory set = _sets[version];
        next = ++version;
        _sets[next] = MemberSet(set.bitmap ^ bit, joins ? set.size + 1 : set.size - 1);
    }

    function _setSeatStake(uint96 seatStake_) private {
        _requireBounds("seatStake", seatStake_, 1, 1e8 ether);
        seatStake = seatStake_;
        emit SeatStakeChanged(seatStake_);
    }

    function _setStakeDelay(uint32 stakeDelay_, uint256 least) private {
        _requireBounds("stakeDelay", stakeDelay_, least, 90 days);
        stakeDelay = stakeDelay_;
        emit StakeDelayChanged(stakeDelay_);
    }

    function _requireMember() private view returns (uint32 bit) {
        bit = _seatBit(msg.sender);
        if (_sets[version].bitmap & bit == 0) revert NotMember(msg.sender);
    }

    function _set(uint16 setVersion) internal view returns (MemberSet memory) {
        if (setVersion > version) revert UnknownSetVersion(setVersion);
        return _sets[setVersion];
    }

    function _seatBit(address account) internal view returns (uint32) {
        uint256 number = _seatNumber[account];
        return number == 0 ? 0 : uint32(1) << uint32(number - 1);
    }

    /// @dev The accounts of the seats whose bits are set, all of which exist.
    function _accounts(uint32 bitmap) private view returns (address[] memory list) {
        uint256 count;
        for (uint32 rest = bitmap; rest != 0; rest &= rest - 1) {
            ++count;
        }
        list = new address[](count);
        uint256 seat;
        for (uint256 i; i < count; ++i) {
            seat = _seatFrom(bitmap, seat);
            list[i] = _seats[seat++];
        }
    }

    /// @dev The first seat from `seat` on whose bit is set; there is one.
    function _seatFrom(uint32 bitmap, uint256 seat) internal pure returns (uint256) {
        while (bitmap & (uint256(1) << seat) == 0) {
            ++seat;
        }
        return seat;
    }

    function _requireUrl(string calldata url) private pure {
        uint256 length = bytes(url).length;
        if (length == 0 || length > MAX_URL_BYTES) revert UrlLength(length, MAX_URL_BYTES);
    }
}
