// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";

/// @notice A token that calls a stranger's contract back at each transfer, once it is told to.
contract CallingToken is ERC20("Calling", "CALL") {
    address private _target;
    bytes private _data;
    bool public hasCalled;
    bool public hasSucceeded;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function burn(uint256 amount) external {
        _burn(msg.sender, amount);
    }

    function callAtTransfer(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_target == address(0)) return;
        address target = _target;
        _target = address(0);
        hasCalled = true;
        (hasSucceeded,) = target.call(_data);
    }
}

/// @notice Sets of members, three signatures for a quorum.
contract StubCommittee {
    uint16 public version = 7;
    uint32 public stakeDelay = 30 days;
    mapping(uint16 setVersion => mapping(address oracle => bool)) public isMember;

    error TooFewSignatures(uint256 given, uint256 needed);
    error SignerNotMember(address signer, uint256 setVersion);

    function setVersion(uint16 version_) external {
        version = version_;
    }

    function setDelay(uint32 delay) external {
        stakeDelay = delay;
    }

    function seat(uint16 setVersion_, address oracle) external {
        isMember[setVersion_][oracle] = true;
    }

    function requireQuorum(uint16 setVersion_, bytes32 digest, bytes[] calldata signatures) external view {
        if (signatures.length < 3) revert TooFewSignatures(signatures.length, 3);
        for (uint256 i; i < signatures.length; ++i) {
            (address signer,,) = ECDSA.tryRecoverCalldata(digest, signatures[i]);
            if (!isMember[setVersion_][signer]) revert SignerNotMember(signer, setVersion_);
        }
    }
}

/// @notice A stake a provider, and awards.
contract StubStaking {
    CallingToken private immutable _token;
    uint32 public unstakeDelay = 30 days;
    mapping(address provider => uint96) public own;
    mapping(address account => uint96) public awardOf;

    constructor(CallingToken token) {
        _token = token;
    }

    function setDelay(uint32 delay) external {
        unstakeDelay = delay;
    }

    function stake(address provider, uint96 amount) external {
        _token.transferFrom(msg.sender, address(this), amount);
        own[provider] += amount;
    }

    function seize(address provider, uint96 amount, address beneficiary) external returns (uint96 taken) {
        taken = amount < own[provider] ? amount : own[provider];
        own[provider] -= taken;
        awardOf[beneficiary] += taken;
    }

    function slashHalf(address provider, address challenger, uint96 maxShare) external {
        uint96 slashed = (own[provider] + 1) / 2;
        own[provider] -= slashed;
        awardOf[challenger] += slashed / 10 < maxShare ? slashed / 10 : maxShare;
    }

    function claimAward() external returns (uint96 amount) {
        amount = awardOf[msg.sender];
        awardOf[msg.sender] = 0;
        _token.transfer(msg.sender, amount);
    }
}

/// @notice Batches whose states the test moves, without money; it convicts as often as the court says.
contract StubEscrow {
    StubStaking private immutable _staking;
    uint256 public longestWay = 20 days;
    uint64 public batchCount;
    uint256 public convictions;
    bool public isCeilingReached;
    IEscrowTerms.Parameters private _terms;
    mapping(uint64 batchId => IEscrowBatches.BatchRecord) private _batches;
    mapping(uint64 batchId => IEscrowBatches.Freeze) private _freezes;
    mapping(uint64 batchId => uint256) public storedBitmap;
    mapping(address provider => IEscrowJobs.ProviderRecord) private _providers;

    error SlashCeilingReached(uint256 condemned, uint256 ceiling);

    constructor(StubStaking staking) {
        _staking = staking;
        _terms.maturityWindow = 3 days;
        _terms.evidenceWindow = 1 days;
    }

    function commit(IEscrowBatches.BatchHead calldata head) external returns (uint64 batchId) {
        batchId = ++batchCount;
        bytes32 digest = keccak256(abi.encode(batchId, head));
        _batches[batchId] =
            IEscrowBatches.BatchRecord(digest, IEscrowBatches.BatchState.PENDING, IEscrowBatches.Outcome.NONE);
    }

    function freeze(uint64 batchId, address provider, IEscrowBatches.Outcome outcome) external {
        _move(batchId, IEscrowBatches.BatchState.FROZEN, outcome);
        _freezes[batchId].until = uint40(block.timestamp + 2 days);
        _providers[provider].frozenBatch = uint40(batchId);
    }

    function mature(uint64 batchId, IEscrowBatches.Outcome outcome, uint256 stored) external {
        storedBitmap[batchId] = stored;
        _move(batchId, IEscrowBatches.BatchState.MATURED, outcome);
    }

    function forfeit(uint64 batchId, address provider) external {
        IEscrowJobs.ProviderRecord storage its = _providers[provider];
        if (its.frozenBatch == batchId) (its.frozenBatch, its.convictedThrough) = (0, uint40(batchCount));
        _move(batchId, IEscrowBatches.BatchState.FORFEITED, IEscrowBatches.Outcome.FRAUD);
    }

    function reachCeiling(bool isReached) external {
        isCeilingReached = isReached;
    }

    function holdFreeze(uint64 batchId, uint40 until) external {
        _freezes[batchId].until = until;
    }

    function releaseFreeze(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries
    ) external {
        requireBatch(batchId, head, entries);
        _providers[head.provider].frozenBatch = 0;
        _move(batchId, IEscrowBatches.BatchState.MATURED, IEscrowBatches.Outcome.PASS);
    }

    function convict(uint64, IEscrowBatches.BatchHead calldata head, address challenger, uint96 maxShare) external {
        if (isCeilingReached) revert SlashCeilingReached(1, 1);
        ++convictions;
        _providers[head.provider].convictedThrough = uint40(batchCount);
        _staking.slashHalf(head.provider, challenger, maxShare);
    }

    function parameters() external view returns (IEscrowTerms.Parameters memory) {
        return _terms;
    }

    function providerRecord(address provider) external view returns (IEscrowJobs.ProviderRecord memory) {
        return _providers[provider];
    }

    function freezeOf(uint64 batchId) external view returns (IEscrowBatches.Freeze memory) {
        return _freezes[batchId];
    }

    function batch(uint64 batchId) external view returns (IEscrowBatches.BatchRecord memory) {
        return _batches[batchId];
    }

    function requireBatch(
        uint64 batchId,
        IEscrowBatches.BatchHead calldata head,
        IEscrowBatches.Entry[] calldata entries
    ) public view returns (IEscrowBatches.BatchRecord memory) {
        bytes32 digest = keccak256(abi.encode(batchId, head));
        if (digest != _batches[batchId].digest) {
            revert IEscrowBatches.HeadMismatch(batchId, digest, _batches[batchId].digest);
        }
        bytes32 given = keccak256(abi.encode(entries));
        if (given != head.entriesHash) revert IEscrowBatches.EntriesMismatch(batchId, given, head.entriesHash);
        return _batches[batchId];
    }

    function _move(uint64 batchId, IEscrowBatches.BatchState state, IEscrowBatches.Outcome outcome) private {
        (_batches[batchId].state, _batches[batchId].outcome) = (state, outcome);
    }
}
