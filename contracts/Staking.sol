// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IMallaToken} from "./interfaces/IMallaToken.sol";
import {IStaking} from "./interfaces/IStaking.sol";

/// @title Staking: what a provider can lose
/// @notice The manual is `IStaking`.
contract Staking is IStaking, EIP712 {
    using SafeERC20 for IMallaToken;

    /// @dev The two things that opening a job asks for share a slot: one cold read.
    struct Account {
        uint96 active;
        address nodeKey;
        bytes32 encryptionKey;
        bytes32 metadataDigest;
    }

    bytes32 private constant NODE_KEY_TYPEHASH = keccak256("NodeKey(address provider,address nodeKey)");
    uint256 private constant MAX_UNSTAKINGS = 16;
    uint256 private constant LEAST_UNSTAKE_DELAY = 1 minutes;
    uint256 private constant MOST_UNSTAKE_DELAY = 90 days;
    uint256 private constant BPS = 10_000;

    IMallaToken private immutable _token;
    /// @inheritdoc IStaking
    address public immutable escrow;
    /// @inheritdoc IStaking
    uint32 public immutable unstakeDelay;

    mapping(address owner => Account) private _accounts;
    /// @dev In the order in which they were started, which is the order of their releases: the delay is fixed.
    mapping(address owner => Unstaking[]) private _unstakings;
    mapping(address nodeKey => KeyPeriod) private _keyPeriods;

    /// @param token_ The token that is staked.
    /// @param escrow_ The only caller of `slash`; deployed after this contract, at the address predicted for it.
    /// @param unstakeDelay_ Seconds from `unstake` to `withdraw`.
    constructor(IMallaToken token_, address escrow_, uint32 unstakeDelay_) EIP712("Malla", "1") {
        if (unstakeDelay_ < LEAST_UNSTAKE_DELAY || unstakeDelay_ > MOST_UNSTAKE_DELAY) {
            revert UnstakeDelayOutOfBounds(unstakeDelay_, LEAST_UNSTAKE_DELAY, MOST_UNSTAKE_DELAY);
        }
        _token = token_;
        escrow = escrow_;
        unstakeDelay = unstakeDelay_;
    }

    /// @inheritdoc IStaking
    function register(address nodeKey, bytes32 encryptionKey, bytes32 metadataDigest, bytes calldata nodeKeySignature)
        external
    {
        Account storage account = _accounts[msg.sender];
        if (account.nodeKey != address(0)) revert AlreadyRegistered(msg.sender);
        _requireFreshKey(nodeKey, encryptionKey, nodeKeySignature);

        _authorise(account, nodeKey, encryptionKey);
        account.metadataDigest = metadataDigest;
        emit ProviderRegistered(msg.sender, nodeKey, encryptionKey, metadataDigest);
    }

    /// @inheritdoc IStaking
    function rotateNodeKey(address nodeKey, bytes32 encryptionKey, bytes calldata nodeKeySignature) external {
        Account storage account = _registered();
        _requireFreshKey(nodeKey, encryptionKey, nodeKeySignature);

        _keyPeriods[account.nodeKey].until = uint40(block.timestamp);
        _authorise(account, nodeKey, encryptionKey);
        emit NodeKeyRotated(msg.sender, nodeKey, encryptionKey);
    }

    /// @inheritdoc IStaking
    function setMetadata(bytes32 metadataDigest) external {
        Account storage account = _registered();
        account.metadataDigest = metadataDigest;
        emit MetadataChanged(msg.sender, metadataDigest);
    }

    /// @inheritdoc IStaking
    function stake(uint96 amount) public {
        Account storage account = _registered();
        if (amount == 0) revert ZeroAmount();

        uint96 active = account.active + amount;
        account.active = active;
        emit Staked(msg.sender, amount, active);
        _token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IStaking
    function stakeWithPermit(uint96 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        // Whoever sees the permit may use it first; the allowance is then there, and `stake` says so if it is not.
        // solhint-disable-next-line no-empty-blocks
        try _token.permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        stake(amount);
    }

    /// @inheritdoc IStaking
    function unstake(uint96 amount) external {
        Account storage account = _accounts[msg.sender];
        uint96 active = account.active;
        if (amount == 0) revert ZeroAmount();
        if (amount > active) revert StakeTooLow(msg.sender, active, amount);
        Unstaking[] storage queue = _unstakings[msg.sender];
        if (queue.length == MAX_UNSTAKINGS) revert TooManyUnstakings(msg.sender, MAX_UNSTAKINGS);

        uint40 releaseAt = uint40(block.timestamp + unstakeDelay);
        active -= amount;
        account.active = active;
        queue.push(Unstaking(amount, releaseAt));
        emit UnstakeStarted(msg.sender, amount, releaseAt, active);
    }

    /// @inheritdoc IStaking
    function withdraw() external returns (uint96 amount) {
        Unstaking[] storage queue = _unstakings[msg.sender];
        uint256 length = queue.length;
        uint256 due;
        while (due < length && queue[due].releaseAt <= block.timestamp) amount += queue[due++].amount;
        if (due == 0) revert NothingToWithdraw(msg.sender, length == 0 ? 0 : queue[0].releaseAt);

        for (uint256 i = due; i < length; ++i) {
            queue[i - due] = queue[i];
        }
        for (uint256 i; i < due; ++i) {
            queue.pop();
        }
        emit Withdrawn(msg.sender, amount);
        _token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IStaking
    function slash(address owner, uint16 bps) external returns (uint96 slashed) {
        if (msg.sender != escrow) revert OnlyEscrow(msg.sender);
        if (bps > BPS) revert SlashTooLarge(bps);

        Account storage account = _accounts[owner];
        uint96 active = account.active;
        uint96 fromActive = _share(active, bps);
        account.active = active - fromActive;
        uint96 fromUnstaking = _slashUnstakings(owner, bps);
        slashed = fromActive + fromUnstaking;
        emit Slashed(owner, fromActive, fromUnstaking, bps);
        _token.burn(slashed);
    }

    /// @inheritdoc IStaking
    function provider(address owner) external view returns (Provider memory) {
        Account storage account = _accounts[owner];
        return
            Provider(
                account.active, _unstakingOf(owner), account.nodeKey, account.encryptionKey, account.metadataDigest
            );
    }

    /// @inheritdoc IStaking
    function activeStake(address owner) external view returns (uint96) {
        return _accounts[owner].active;
    }

    /// @inheritdoc IStaking
    function slashableStake(address owner) external view returns (uint96) {
        return _accounts[owner].active + _unstakingOf(owner);
    }

    /// @inheritdoc IStaking
    function unstakings(address owner) external view returns (Unstaking[] memory) {
        return _unstakings[owner];
    }

    /// @inheritdoc IStaking
    function providerOf(address nodeKey) external view returns (address) {
        KeyPeriod memory period = _keyPeriods[nodeKey];
        return period.until == 0 ? period.provider : address(0);
    }

    /// @inheritdoc IStaking
    function nodeKeyOf(address owner) external view returns (address) {
        return _accounts[owner].nodeKey;
    }

    /// @inheritdoc IStaking
    function keyPeriod(address nodeKey) external view returns (KeyPeriod memory) {
        return _keyPeriods[nodeKey];
    }

    function _registered() private view returns (Account storage account) {
        account = _accounts[msg.sender];
        if (account.nodeKey == address(0)) revert NotRegistered(msg.sender);
    }

    function _requireFreshKey(address nodeKey, bytes32 encryptionKey, bytes calldata signature) private view {
        if (nodeKey == address(0)) revert ZeroNodeKey();
        if (encryptionKey == 0) revert ZeroEncryptionKey();
        address earlier = _keyPeriods[nodeKey].provider;
        if (earlier != address(0)) revert NodeKeyAlreadyUsed(nodeKey, earlier);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(NODE_KEY_TYPEHASH, msg.sender, nodeKey)));
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (recovered != nodeKey) revert NodeKeySignatureInvalid(nodeKey, recovered);
    }

    function _authorise(Account storage account, address nodeKey, bytes32 encryptionKey) private {
        _keyPeriods[nodeKey] = KeyPeriod(msg.sender, uint40(block.timestamp), 0);
        account.nodeKey = nodeKey;
        account.encryptionKey = encryptionKey;
    }

    function _slashUnstakings(address owner, uint16 bps) private returns (uint96 slashed) {
        Unstaking[] storage queue = _unstakings[owner];
        uint256 length = queue.length;
        for (uint256 i; i < length; ++i) {
            uint96 amount = queue[i].amount;
            uint96 part = _share(amount, bps);
            queue[i].amount = amount - part;
            slashed += part;
        }
    }

    /// @dev Rounded up, so that no slash of a stake rounds to nothing; at most `amount` since bps <= BPS.
    function _share(uint96 amount, uint16 bps) private pure returns (uint96) {
        return uint96((uint256(amount) * bps + BPS - 1) / BPS);
    }

    function _unstakingOf(address owner) private view returns (uint96 sum) {
        Unstaking[] storage queue = _unstakings[owner];
        uint256 length = queue.length;
        for (uint256 i; i < length; ++i) {
            sum += queue[i].amount;
        }
    }
}
