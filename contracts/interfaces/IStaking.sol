// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

/// @title Staking: what a provider can lose
/// @notice A provider is an owner account. It locks its own stake, names a hot node key that signs offers, reports
/// and work batches for it, and publishes the key to which requesters seal their prompts.
/// @dev Amounts are wei of `MallaToken`. Unstaking stake stays slashable until it is withdrawn, also after its delay.
/// Only the owner can start, shorten or end anything about its own stake; no function takes a provider as a target
/// except `slash`, which only the escrow may call.
interface IStaking {
    /// @param active Stake that counts as deterrent, wei.
    /// @param unstaking Sum of the unstakings that are not withdrawn yet, wei; slashable, but no deterrent.
    /// @param nodeKey The hot key of today; zero before `register`.
    /// @param encryptionKey X25519 public key to which prompts are sealed.
    /// @param metadataDigest keccak256 of the provider's public metadata (canonical JSON), or zero.
    struct Provider {
        uint96 active;
        uint96 unstaking;
        address nodeKey;
        bytes32 encryptionKey;
        bytes32 metadataDigest;
    }

    /// @param amount Wei still in this unstaking, after slashes.
    /// @param releaseAt Unix second from which `withdraw` pays it.
    struct Unstaking {
        uint96 amount;
        uint40 releaseAt;
    }

    /// @notice For how long a key spoke for a provider. Reports of jobs opened in that time stay valid after rotation.
    /// @param provider The owner that authorised the key; zero for an unknown key.
    /// @param from First second, inclusive.
    /// @param until Last second, exclusive; zero while it is the key of today.
    struct KeyPeriod {
        address provider;
        uint40 from;
        uint40 until;
    }

    error AlreadyRegistered(address provider);
    error NotRegistered(address provider);
    error ZeroNodeKey();
    error NodeKeyAlreadyUsed(address nodeKey, address provider);
    /// @notice The key did not consent: `NodeKey(provider, nodeKey)` must be signed by the key itself, so that nobody
    /// can register, and thereby block, a key that is not theirs.
    error NodeKeySignatureInvalid(address nodeKey, address recovered);
    error ZeroEncryptionKey();
    error ZeroAmount();
    error StakeTooLow(address provider, uint256 active, uint256 asked);
    error TooManyUnstakings(address provider, uint256 limit);
    error NothingToWithdraw(address provider, uint256 nextReleaseAt);
    error OnlyEscrow(address caller);
    error SlashTooLarge(uint256 bps);
    error UnstakeDelayOutOfBounds(uint256 delay, uint256 least, uint256 most);

    event ProviderRegistered(
        address indexed provider, address indexed nodeKey, bytes32 encryptionKey, bytes32 metadataDigest
    );
    event NodeKeyRotated(address indexed provider, address indexed nodeKey, bytes32 encryptionKey);
    event MetadataChanged(address indexed provider, bytes32 metadataDigest);
    event Staked(address indexed provider, uint96 amount, uint96 active);
    event UnstakeStarted(address indexed provider, uint96 amount, uint40 releaseAt, uint96 active);
    event Withdrawn(address indexed provider, uint96 amount);
    event Slashed(address indexed provider, uint96 fromActive, uint96 fromUnstaking, uint16 bps);

    /// @notice Become a provider: name the node key and the encryption key.
    /// @param nodeKeySignature EIP-712 `NodeKey(address provider,address nodeKey)` by the node key, in this contract's
    /// domain.
    function register(address nodeKey, bytes32 encryptionKey, bytes32 metadataDigest, bytes calldata nodeKeySignature)
        external;

    /// @notice Replace the node key and the encryption key. The old key stops signing offers and batches at once;
    /// reports of jobs that were opened before stay valid.
    function rotateNodeKey(address nodeKey, bytes32 encryptionKey, bytes calldata nodeKeySignature) external;

    function setMetadata(bytes32 metadataDigest) external;

    /// @notice Lock `amount` of the caller's tokens as its stake.
    function stake(uint96 amount) external;

    /// @notice `stake` with an ERC-2612 permit in the same transaction. A permit that was already used by somebody who
    /// copied it is not an error as long as the allowance is there.
    function stakeWithPermit(uint96 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Begin to take `amount` out. It stops counting as deterrent now, stays slashable until withdrawn.
    function unstake(uint96 amount) external;

    /// @notice Pay out every unstaking of the caller whose delay is over.
    /// @return amount Wei paid.
    function withdraw() external returns (uint96 amount);

    /// @notice Burn `bps` of each part of the provider's stake, active and unstaking alike, rounded up per part so
    /// that no slash rounds to nothing.
    /// @return slashed Wei burned.
    function slash(address provider, uint16 bps) external returns (uint96 slashed);

    function provider(address owner) external view returns (Provider memory);
    function activeStake(address owner) external view returns (uint96);
    function slashableStake(address owner) external view returns (uint96);
    function unstakings(address owner) external view returns (Unstaking[] memory);
    /// @notice The provider for which `nodeKey` speaks now; zero if none.
    function providerOf(address nodeKey) external view returns (address);
    function nodeKeyOf(address owner) external view returns (address);
    function keyPeriod(address nodeKey) external view returns (KeyPeriod memory);
    function unstakeDelay() external view returns (uint32);
    function escrow() external view returns (address);
}
