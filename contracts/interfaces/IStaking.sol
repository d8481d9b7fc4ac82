// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IGuarded} from "./IGuarded.sol";
import {IMallaToken} from "./IMallaToken.sol";

/// @title Staking: what a provider can lose
/// @notice A provider is an owner account. It locks its own stake, names a hot node key that signs offers, reports
/// and work batches for it, and publishes the key to which requesters seal their prompts.
/// @dev Amounts are wei of `MallaToken`. Unstaking stake stays slashable until it is withdrawn, also after its delay.
/// Only the owner can start, shorten or end anything about its own stake; only the escrow and the court can lower it.
/// Unstaking is counted in shares of a pool, so a slash costs the same however many there are. Others may delegate:
/// their stake earns a part of the provider's rewards, is slashed at the same rate, adds at most `delegationMultiple`
/// times the own stake to capacity, and never counts as deterrent.
interface IStaking is IGuarded {
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

    /// @notice The contracts that stakes work with; fixed by the constructor.
    /// @param escrow The only caller of `slash`.
    /// @param court The only caller of `seize`.
    /// @param rewards The only caller of `addDelegationReward`.
    /// @param governor The timelock: the only account that changes parameters.
    struct StakingWiring {
        IMallaToken token;
        address escrow;
        address court;
        address rewards;
        address governor;
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
    error OnlyCourt(address caller);
    error OnlyRewards(address caller);
    error SlashTooLarge(uint256 bps);
    /// @notice The provider never named a commission: nobody is made to share its rewards.
    error DelegationNotOpen(address provider);
    error DelegationTooSmall(uint256 amount, uint256 least);
    error TooFewShares(address provider, address delegator, uint256 shares, uint256 asked);
    /// @notice Slashes left less than a hundred thousandth of what a share was worth at first, or nothing: the pool
    /// takes no more until its shares are undelegated.
    error DelegationPoolIsDead(address provider);
    error CommissionTooHigh(uint256 bps, uint256 most);
    error NothingCondemned();
    error NoAward(address account);

    event ProviderRegistered(
        address indexed provider, address indexed nodeKey, bytes32 encryptionKey, bytes32 metadataDigest
    );
    event NodeKeyRotated(address indexed provider, address indexed nodeKey, bytes32 encryptionKey);
    event MetadataChanged(address indexed provider, bytes32 metadataDigest);
    event Staked(address indexed provider, uint96 amount, uint96 active);
    event UnstakeStarted(address indexed provider, uint96 amount, uint40 releaseAt, uint96 active);
    event Withdrawn(address indexed provider, uint96 amount);
    /// @param fromDelegation Wei taken from the delegators' pool, its unstaking part included.
    event Slashed(address indexed provider, uint96 fromActive, uint96 fromUnstaking, uint96 fromDelegation, uint16 bps);
    event Awarded(address indexed account, address indexed provider, uint96 amount);
    event AwardClaimed(address indexed account, uint96 amount);
    event CondemnedBurned(uint96 amount);
    event Seized(address indexed provider, address indexed beneficiary, uint96 amount);
    event Delegated(address indexed provider, address indexed delegator, uint96 amount, uint128 shares);
    event UndelegateStarted(
        address indexed provider, address indexed delegator, uint128 shares, uint96 amount, uint40 releaseAt
    );
    event DelegationWithdrawn(address indexed provider, address indexed delegator, uint96 amount);
    event DelegationRewarded(address indexed provider, uint96 amount);
    event CommissionChanged(address indexed provider, uint16 bps, uint40 from);
    event UnstakeDelayChanged(uint32 unstakeDelay);
    event DelegationMultipleChanged(uint16 multiple);

    /// @notice Become a provider: name the node key and the encryption key.
    /// @param nodeKeySignature EIP-712 `NodeKey(address provider,address nodeKey)` by the node key, in this contract's
    /// domain.
    function register(address nodeKey, bytes32 encryptionKey, bytes32 metadataDigest, bytes calldata nodeKeySignature)
        external;

    /// @notice Replace the node key and the encryption key. The old key stops signing offers and batches at once;
    /// reports of jobs that were opened before stay valid.
    function rotateNodeKey(address nodeKey, bytes32 encryptionKey, bytes calldata nodeKeySignature) external;

    function setMetadata(bytes32 metadataDigest) external;

    /// @notice Lock `amount` of the caller's tokens as its stake. Not while paused. If others delegate, rewards of the
    /// past are shared out first.
    function stake(uint96 amount) external;

    /// @notice `stake` with an ERC-2612 permit in the same transaction. A permit that was already used by somebody who
    /// copied it is not an error as long as the allowance is there.
    function stakeWithPermit(uint96 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Begin to take `amount` out, at most 16 times at once. It stops counting as deterrent now, stays
    /// slashable until withdrawn.
    function unstake(uint96 amount) external;

    /// @notice Pay out every unstaking of the caller whose delay is over, rounded down.
    /// @return amount Wei paid.
    function withdraw() external returns (uint96 amount);

    /// @notice Escrow: condemn `bps` of each part of the provider's stake, active, unstaking and delegated alike,
    /// rounded up per part so that no slash rounds to nothing. What is condemned is burned by `burnCondemned`, less the
    /// challenger's award: min(own part * challengerBps / 10,000 rounded down, maxShare).
    /// @param challenger Zero if nobody challenged: then nobody has an award.
    /// @return slashed Wei taken from the provider's own stake, active and unstaking.
    function slash(address provider, uint16 bps, address challenger, uint16 challengerBps, uint96 maxShare)
        external
        returns (uint96 slashed);

    /// @notice Court: take up to `amount` wei of the provider's own stake, active first, for `beneficiary` as an award.
    /// @return taken Wei, at most the own stake.
    function seize(address provider, uint96 amount, address beneficiary) external returns (uint96 taken);

    /// @notice Anyone: burn what was condemned so far.
    function burnCondemned() external;

    /// @notice Pay the caller what slashes and seizures awarded it.
    function claimAward() external returns (uint96 amount);

    /// @notice Lock `amount` of the caller's tokens with a provider that named its commission, for a part of its
    /// rewards. At least 1 token, and a million shares' worth. Rewards of the past are paid into the pool first. Not
    /// while paused.
    /// @return shares Of the pool, rounded down: less than a millionth of `amount` is lost.
    function delegate(address provider, uint96 amount) external returns (uint128 shares);

    /// @notice Begin to take `shares` out, for their worth rounded down; slashable until withdrawn. At most 16 at once
    /// with one provider.
    function undelegate(address provider, uint128 shares) external;

    /// @notice Pay out every undelegation of the caller with this provider whose delay is over.
    function withdrawDelegation(address provider) external returns (uint96 amount);

    /// @notice The caller's share of its delegators' rewards, at most 5,000 bps. The first one opens its pool. A higher
    /// one counts after `unstakeDelay`, so that delegators can leave first; a lower one at once.
    function setCommission(uint16 bps) external;

    /// @notice Rewards: `amount` tokens, transferred before the call, join the delegators' pool; every share is worth
    /// more.
    function addDelegationReward(address provider, uint96 amount) external;

    /// @notice Governance: at least the escrow's longest way plus the court's ruling window, at most the timelock's
    /// delay and 90 days. Unstakings that have begun keep their release.
    function setUnstakeDelay(uint32 unstakeDelay) external;

    /// @notice Governance: 0 to 16.
    function setDelegationMultiple(uint16 multiple) external;

    /// @notice What the escrow asks at each opening.
    function standingOf(address provider) external view returns (address nodeKey, uint96 active);

    /// @notice What the escrow asks at each commitment: the provider for which the key speaks now, zero if none.
    function speakerOf(address nodeKey) external view returns (address provider, uint96 active);

    /// @notice Own active stake plus min(delegated, delegationMultiple * own active), wei: what matching may count on.
    function capacityOf(address provider) external view returns (uint256);

    /// @notice How a reward is split: commission now in force, own active stake and delegated stake in wei; a pool
    /// without owners counts as nothing.
    function rewardSplit(address provider) external view returns (uint16 commissionBps, uint96 own, uint96 delegated);

    function delegatedStake(address provider) external view returns (uint96);
    /// @notice What the price of a delegator's share comes from, and what is on its way out.
    /// @return tokens Wei delegated.
    /// @return shares Of all delegators.
    /// @return unstaking Wei that are undelegated and not withdrawn yet.
    function delegationPool(address provider) external view returns (uint96 tokens, uint128 shares, uint96 unstaking);
    function delegation(address provider, address delegator) external view returns (uint128 shares, uint96 amount);
    function undelegations(address provider, address delegator) external view returns (Unstaking[] memory);
    function condemned() external view returns (uint96);
    function awardOf(address account) external view returns (uint96);
    function delegationMultiple() external view returns (uint16);
    function court() external view returns (address);
    function rewards() external view returns (address);

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
