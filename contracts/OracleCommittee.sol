// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Seats} from "./committee/Seats.sol";
import {IMallaToken} from "./interfaces/IMallaToken.sol";
import {IOracleCommittee} from "./interfaces/IOracleCommittee.sol";
import {IEscrowBatches} from "./interfaces/escrow/IEscrowBatches.sol";
import {IEscrowEnds} from "./interfaces/escrow/IEscrowEnds.sol";

/// @title OracleCommittee: who may sign a settlement
/// @notice The manual is `IOracleCommittee`. Membership lies in `committee/Seats.sol`; here is what signatures are
/// worth.
contract OracleCommittee is Seats {
    using SafeERC20 for IMallaToken;

    uint256 private constant PROPOSER_BLOCKS = 4;
    /// @dev The reporter of a contradiction gets one of so many parts of the stake.
    uint96 private constant REPORTER_PARTS = 10;

    constructor(
        IMallaToken token_,
        address escrow_,
        address governor_,
        address[] memory seats_,
        uint96 seatStake_,
        uint32 stakeDelay_,
        uint32 epochBlocks_
    ) Seats(token_, escrow_, governor_, seats_, seatStake_, stakeDelay_, epochBlocks_) {}

    /// @inheritdoc IOracleCommittee
    function proveEquivocation(
        address account,
        uint16 setVersion,
        uint64 batchId,
        IEscrowBatches.Decision[] calldata one,
        bytes calldata signatureOne,
        IEscrowBatches.Decision[] calldata other,
        bytes calldata signatureOther
    ) external {
        uint32 bit = _seatBit(account);
        if (_equivocated & bit != 0) revert EquivocationProved(account);
        if (_set(setVersion).bitmap & bit == 0) revert SignerNotMember(account, setVersion);
        if (!_contradict(batchId, one, other)) revert NotEquivocation(account, batchId);
        _requireSigned(account, setVersion, one, signatureOne);
        _requireSigned(account, setVersion, other, signatureOther);
        _slash(account, batchId, bit);
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
    function cover() external view returns (uint256) {
        MemberSet memory set = _sets[version];
        if (set.size == 0) return 0;
        uint256 smallest = type(uint256).max;
        uint256 seat;
        for (uint256 i; i < set.size; ++i) {
            seat = _seatFrom(set.bitmap, seat);
            uint256 stake = _oracles[_seats[seat++]].stake;
            if (stake < smallest) smallest = stake;
        }
        return _quorum(set.size) * smallest / 2;
    }

    /// @inheritdoc IOracleCommittee
    function proposer(uint16 setVersion) external view returns (address) {
        MemberSet memory set = _set(setVersion);
        if (set.size == 0) return address(0);
        uint256 place = (block.number / PROPOSER_BLOCKS + setVersion) % set.size;
        uint256 seat = _seatFrom(set.bitmap, 0);
        for (; place != 0; --place) {
            seat = _seatFrom(set.bitmap, seat + 1);
        }
        return _seats[seat];
    }

    /// @inheritdoc IOracleCommittee
    function faults(uint16 setVersion) external view returns (uint256) {
        return _faults(_set(setVersion).size);
    }

    /// @inheritdoc IOracleCommittee
    function quorum(uint16 setVersion) external view returns (uint256) {
        return _quorum(_set(setVersion).size);
    }

    function _slash(address account, uint64 batchId, uint32 bit) private {
        uint96 amount = _oracles[account].stake;
        uint96 share = amount / REPORTER_PARTS;
        _oracles[account].stake = 0;
        _equivocated |= bit;
        emit OracleSlashed(account, msg.sender, batchId, amount - share, share);
        if (hasSeat(account)) _endSeat(account, bit);
        _token.burn(amount - share);
        _token.safeTransfer(msg.sender, share);
    }

    function _requireSignatures(
        uint16 setVersion,
        uint32 bitmap,
        uint256 needed,
        bytes32 digest,
        bytes[] calldata signatures
    ) private view {
        if (signatures.length < needed) revert TooFewSignatures(signatures.length, needed);
        bitmap &= ~_equivocated;
        address previous;
        for (uint256 i; i < signatures.length; ++i) {
            // A malformed or malleable signature recovers to zero, which is no member.
            // Why a signature is malformed does not matter: it recovers to zero, which is no member.
            // slither-disable-next-line unused-return
            (address signer,,) = ECDSA.tryRecoverCalldata(digest, signatures[i]);
            if (bitmap & _seatBit(signer) == 0) revert SignerNotMember(signer, setVersion);
            if (signer <= previous) revert SignersNotAscending(previous, signer);
            previous = signer;
        }
    }

    function _requireSigned(
        address account,
        uint16 setVersion,
        IEscrowBatches.Decision[] calldata decisions,
        bytes calldata signature
    ) private view {
        bytes32 digest = IEscrowEnds(escrow).settlementDigest(setVersion, decisions);
        // Why a signature is malformed does not matter: it recovers to zero, which is no member.
        // slither-disable-next-line unused-return
        (address signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (signer != account) revert NotSignedBy(account, signer);
    }

    /// @dev Whether the first decision about the batch in `one` and any in `other` cannot both be an honest oracle's.
    function _contradict(
        uint64 batchId,
        IEscrowBatches.Decision[] calldata one,
        IEscrowBatches.Decision[] calldata other
    ) private view returns (bool) {
        uint256 place;
        while (place < one.length && one[place].batchId != batchId) {
            ++place;
        }
        if (place == one.length) return false;
        bytes32 first = keccak256(abi.encode(one[place]));
        bool isNotOpened = one[place].outcome == IEscrowBatches.Outcome.NOT_OPENED;
        for (uint256 i; i < other.length; ++i) {
            if (other[i].batchId != batchId || keccak256(abi.encode(other[i])) == first) continue;
            bool isAnew = isNotOpened != (other[i].outcome == IEscrowBatches.Outcome.NOT_OPENED);
            if (!isAnew || IEscrowBatches(escrow).freezeOf(batchId).openedAt == 0) return true;
        }
        return false;
    }

    function _faults(uint256 size) private pure returns (uint256) {
        return size == 0 ? 0 : (size - 1) / 3;
    }

    function _quorum(uint256 size) private pure returns (uint256) {
        return (size + _faults(size)) / 2 + 1;
    }
}
