// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Governed} from "./governance/Governed.sol";
import {IDisputeCourt} from "./interfaces/IDisputeCourt.sol";
import {IJobEscrow} from "./interfaces/IJobEscrow.sol";
import {IMallaToken} from "./interfaces/IMallaToken.sol";
import {IOracleCommittee} from "./interfaces/IOracleCommittee.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {IEscrowBatches} from "./interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "./interfaces/escrow/IEscrowJobs.sol";
import {IEscrowTerms} from "./interfaces/escrow/IEscrowTerms.sol";
import {Intake} from "./libraries/Intake.sol";

/// @title DisputeCourt: appeals and disputes
/// @notice The manual is `IDisputeCourt`.
/// @dev Nothing that a case owes depends on a call that can fail for good: bonds move with the ruling or the default, a
/// compensation asks the staking contract only, and a conviction is a call of its own.
contract DisputeCourt is Governed, EIP712, ReentrancyGuard, IDisputeCourt {
    using SafeCast for uint256;
    using Intake for IMallaToken;
    using SafeERC20 for IMallaToken;

    bytes32 private constant RULING_TYPEHASH = keccak256("Ruling(uint64 caseId,uint8 ruling)");
    /// @dev More than the longest freeze, an appeal included, and the longest slash epoch together.
    uint256 private constant CONVICTION_ROOM = 45 days;

    IMallaToken private immutable _token;
    IStaking private immutable _staking;
    IOracleCommittee private immutable _committee;
    /// @inheritdoc IDisputeCourt
    address public immutable escrow;

    /// @inheritdoc IDisputeCourt
    uint64 public caseCount;
    /// @inheritdoc IDisputeCourt
    mapping(uint64 batchId => uint64) public appealOf;
    /// @inheritdoc IDisputeCourt
    mapping(uint64 batchId => mapping(uint16 index => uint64)) public disputeOf;
    mapping(uint64 caseId => Case) private _cases;
    Terms private _terms;

    /// @dev Calls none of the other contracts: the escrow comes later and checks that the court names it.
    constructor(
        IMallaToken token_,
        address escrow_,
        IStaking staking_,
        IOracleCommittee committee_,
        address governor_,
        Terms memory terms_
    ) Governed(governor_) EIP712("Malla", "1") {
        if (
            address(token_) == address(0) || escrow_ == address(0) || address(staking_) == address(0)
                || address(committee_) == address(0)
        ) revert NotWiredTo(address(0));
        _token = token_;
        escrow = escrow_;
        _staking = staking_;
        _committee = committee_;
        _setTerms(terms_);
    }

    // A case holds its deadline, so slither takes every comparison of its kind or state for one of a timestamp.
    // slither-disable-start incorrect-equality

    /// @inheritdoc IDisputeCourt
    function appeal(uint64 batchId, IEscrowBatches.BatchHead calldata head, IEscrowBatches.Entry[] calldata entries)
        external
        returns (uint64 caseId)
    {
        IEscrowBatches.BatchRecord memory batch = _escrow().requireBatch(batchId, head, entries);
        if (head.provider != msg.sender) revert NotParty(batchId, msg.sender);
        if (appealOf[batchId] != 0) revert CaseExists(batchId, 0, appealOf[batchId]);
        if (batch.state != IEscrowBatches.BatchState.FROZEN || batch.outcome != IEscrowBatches.Outcome.FRAUD) {
            revert NotFrozenForFraud(batchId);
        }
        uint40 until = _escrow().freezeOf(batchId).until;
        if (block.timestamp >= until) revert AppealTooLate(batchId, until);

        Case memory its = _draft(Kind.APPEAL, batchId, head.provider, _terms.appealBond);
        appealOf[batchId] = caseId = _open(its);
        _escrow().holdFreeze(batchId, its.deadline);
        _token.pull(its.bond);
    }

    /// @inheritdoc IDisputeCourt
    function dispute(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries,
        uint16 index
    ) external returns (uint64 caseId) {
        IEscrowBatches.BatchRecord memory batch = _escrow().requireBatch(batchId, head, entries);
        if (index >= entries.length) revert IEscrowBatches.IndexOutOfRange(batchId, index);
        IEscrowBatches.Entry calldata entry = entries[index];
        if (entry.requester != msg.sender) revert NotParty(batchId, msg.sender);
        uint256 until = uint256(head.committedAt) + _terms.disputeWindow;
        if (block.timestamp >= until) revert DisputeTooLate(batchId, until);
        caseId = disputeOf[batchId][index];
        if (caseId != 0 && _cases[caseId].ruling != Ruling.DEFAULT) revert CaseExists(batchId, index, caseId);

        Case memory its = _draft(Kind.DISPUTE, batchId, head.provider, _terms.disputeBond);
        its.index = uint256(index).toUint8();
        its.isVoucher = entry.answerDigest == 0;
        its.amount = entry.amount;
        its.maxShare = its.bond * _terms.shareMultiple;
        if (its.amount == 0 || _isReturned(its, batch)) revert AlreadyReturned(batchId, index);
        disputeOf[batchId][index] = caseId = _open(its);
        _token.pull(its.bond);
    }

    /// @inheritdoc IDisputeCourt
    function rule(
        uint64 caseId,
        Ruling ruling,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries,
        bytes[] calldata signatures
    ) external nonReentrant {
        Case memory its = _openCase(caseId);
        if (block.timestamp >= its.deadline) revert RulingTooLate(caseId, its.deadline);
        bool isPossible = ruling == Ruling.UPHELD || ruling == Ruling.REJECTED
            || (ruling == Ruling.CONVICTED && its.kind == Kind.DISPUTE);
        if (!isPossible) revert RulingNotPossible(caseId, ruling);
        _committee.requireQuorum(its.setVersion, rulingDigest(caseId, ruling), signatures);

        _cases[caseId].ruling = ruling;
        emit CaseRuled(caseId, ruling);
        if (ruling != Ruling.REJECTED) {
            if (its.kind == Kind.APPEAL) _escrow().releaseFreeze(its.batchId, head, entries);
            else if (_isDue(its)) _compensate(caseId, its);
            _token.safeTransfer(its.plaintiff, its.bond);
        } else if (its.kind == Kind.APPEAL) {
            _escrow().holdFreeze(its.batchId, uint40(block.timestamp));
            _token.burn(its.bond);
        } else {
            uint256 half = its.bond / 2;
            _token.safeTransfer(its.provider, half);
            _token.burn(its.bond - half);
        }
    }

    /// @inheritdoc IDisputeCourt
    function closeByDefault(uint64 caseId) external {
        Case memory its = _openCase(caseId);
        if (block.timestamp < its.deadline) revert RulingTooEarly(caseId, its.deadline);

        _cases[caseId].ruling = Ruling.DEFAULT;
        emit CaseDefaulted(caseId);
        _token.safeTransfer(its.plaintiff, its.bond);
    }

    /// @inheritdoc IDisputeCourt
    function compensate(uint64 caseId) external nonReentrant {
        Case memory its = caseOf(caseId);
        if (its.kind != Kind.DISPUTE || (its.ruling != Ruling.UPHELD && its.ruling != Ruling.CONVICTED)) {
            revert NotUpheld(caseId, its.ruling);
        }
        if (its.isCompensated) revert CompensatedAlready(caseId);
        IEscrowBatches.BatchRecord memory batch = _escrow().batch(its.batchId);
        if (_isReturned(its, batch)) revert AlreadyReturned(its.batchId, its.index);
        if (batch.state != IEscrowBatches.BatchState.MATURED) revert BatchNotOver(its.batchId, batch.state);
        _requireNotFrozen(its.provider);
        _compensate(caseId, its);
    }

    /// @inheritdoc IDisputeCourt
    function convict(uint64 caseId, IEscrowBatches.BatchHead calldata head) external nonReentrant {
        Case memory its = caseOf(caseId);
        if (its.ruling != Ruling.CONVICTED) revert NotConvicted(caseId, its.ruling);
        uint256 until = its.deadline + CONVICTION_ROOM;
        if (block.timestamp >= until) revert ConvictionTooLate(caseId, until);
        uint256 through = _requireNotFrozen(its.provider);
        if (through >= its.batchId) revert ConvictedSince(its.provider, through);

        // First the requester, then the slash: it would take from the stake what the requester has lost.
        if (_isDue(its)) _compensate(caseId, its);
        _escrow().convict(its.batchId, head, its.plaintiff, its.maxShare);
    }

    /// @inheritdoc IDisputeCourt
    function setTerms(Terms calldata terms_) external {
        _requireGovernor();
        uint256 delay = Math.min(_staking.unstakeDelay(), _committee.stakeDelay());
        _requireBounds("rulingWindow", terms_.rulingWindow, 0, Math.saturatingSub(delay, _escrow().longestWay()));
        IEscrowTerms.Parameters memory theirs = _escrow().parameters();
        uint256 longest = uint256(theirs.maturityWindow) + theirs.evidenceWindow;
        _requireBounds("disputeWindow", terms_.disputeWindow, 0, longest);
        _setTerms(terms_);
    }

    /// @inheritdoc IDisputeCourt
    function terms() external view returns (Terms memory) {
        return _terms;
    }

    /// @inheritdoc IDisputeCourt
    function rulingWindow() external view returns (uint32) {
        return _terms.rulingWindow;
    }

    /// @inheritdoc IDisputeCourt
    function caseOf(uint64 caseId) public view returns (Case memory its) {
        its = _cases[caseId];
        if (its.kind == Kind.NONE) revert NoSuchCase(caseId);
    }

    /// @inheritdoc IDisputeCourt
    function rulingDigest(uint64 caseId, Ruling ruling) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(RULING_TYPEHASH, caseId, ruling)));
    }

    /// @dev Stores and announces a case of the caller's.
    function _open(Case memory its) private returns (uint64 caseId) {
        caseId = ++caseCount;
        _cases[caseId] = its;
        emit CaseOpened(
            caseId, its.kind, its.batchId, its.index, msg.sender, its.provider, its.bond, its.setVersion, its.deadline
        );
    }

    /// @dev Takes what the plaintiff lost and the penalty out of the provider's stake. The penalty is at most what the
    /// entry paid: whatever is ruled, an entry awards its requester at most one and a half times what it paid in.
    function _compensate(uint64 caseId, Case memory its) private {
        _cases[caseId].isCompensated = true;
        uint96 penalty = its.bond < its.amount ? its.bond : its.amount;
        uint96 half = penalty / 2;
        uint96 awarded = _staking.seize(its.provider, its.amount + half, its.plaintiff);
        uint96 burned = _staking.seize(its.provider, penalty - half, address(this));
        emit CaseCompensated(caseId, awarded, burned);
        if (burned != 0) _token.burn(_staking.claimAward());
    }

    function _setTerms(Terms memory terms_) private {
        _requireBounds("appealBond", terms_.appealBond, 1 gwei, 1e6 ether);
        _requireBounds("disputeBond", terms_.disputeBond, 1 gwei, 1e6 ether);
        _requireBounds("rulingWindow", terms_.rulingWindow, 5, 14 days);
        _requireBounds("disputeWindow", terms_.disputeWindow, 5, 22 days);
        _requireBounds("shareMultiple", terms_.shareMultiple, 0, 100);
        _terms = terms_;
        emit TermsChanged(terms_);
    }

    /// @dev What every case of the caller's has, under the terms and before the committee of now.
    function _draft(Kind kind, uint64 batchId, address provider, uint96 bond) private view returns (Case memory its) {
        its.plaintiff = msg.sender;
        its.kind = kind;
        its.setVersion = _committee.version();
        its.deadline = uint40(block.timestamp + _terms.rulingWindow);
        its.provider = provider;
        its.bond = bond;
        its.batchId = batchId;
    }

    function _openCase(uint64 caseId) private view returns (Case memory its) {
        its = caseOf(caseId);
        if (its.ruling != Ruling.NONE) revert CaseClosed(caseId, its.ruling);
    }

    /// @dev Whether the plaintiff of a dispute that it won can be compensated now.
    function _isDue(Case memory its) private view returns (bool) {
        IEscrowBatches.BatchRecord memory batch = _escrow().batch(its.batchId);
        return !its.isCompensated && batch.state == IEscrowBatches.BatchState.MATURED && !_isReturned(its, batch)
            && _escrow().providerRecord(its.provider).frozenBatch == 0;
    }

    /// @dev Whether the entry's price came back to its requester: the batch was forfeited, or matured by default
    /// without evidence of delivery.
    function _isReturned(Case memory its, IEscrowBatches.BatchRecord memory batch) private view returns (bool) {
        if (batch.state == IEscrowBatches.BatchState.FORFEITED) return true;
        if (batch.state != IEscrowBatches.BatchState.MATURED) return false;
        if (batch.outcome != IEscrowBatches.Outcome.DEFAULT || its.isVoucher) return false;
        return _escrow().storedBitmap(its.batchId) & (1 << its.index) == 0;
    }

    /// @dev Returns the last batch that the provider's last conviction reaches.
    function _requireNotFrozen(address provider) private view returns (uint256) {
        IEscrowJobs.ProviderRecord memory record = _escrow().providerRecord(provider);
        if (record.frozenBatch != 0) revert ProviderInFreeze(provider, record.frozenBatch);
        return record.convictedThrough;
    }

    function _escrow() private view returns (IJobEscrow) {
        return IJobEscrow(escrow);
    }
    // slither-disable-end incorrect-equality
}
