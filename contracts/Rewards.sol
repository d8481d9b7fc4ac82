// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Governed} from "./governance/Governed.sol";
import {IMallaToken} from "./interfaces/IMallaToken.sol";
import {IRewards} from "./interfaces/IRewards.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {RewardMath} from "./libraries/RewardMath.sol";

/// @title Rewards: new tokens for work that burned tokens
/// @notice The manual is `IRewards`.
/// @dev Budget and beta of an epoch are fixed by its first burn, when all earlier epochs are over: what they may pay is
/// known to the wei, whoever claims late. Each epoch sets aside min(budget, beta * burn), which is never less than the
/// sum of its rewards, and the next budget is at most what the hard cap leaves; so no order of claims passes the cap.
contract Rewards is Governed, IRewards {
    using SafeCast for uint256;
    using SafeERC20 for IMallaToken;

    /// @param burned Sum over all providers; never wraps: what does not fit is not counted.
    /// @param budget Fixed by the first burn, as `betaBps` is.
    struct Epoch {
        uint96 burned;
        uint96 budget;
        uint16 betaBps;
    }

    /// @param epoch The epoch in which `burned` was burned.
    /// @param accrued Wei earned and not yet claimed.
    struct Account {
        uint64 epoch;
        uint96 burned;
        uint96 accrued;
    }

    uint16 private constant MOST_BETA_BPS = 9_000;

    IMallaToken private immutable _token;
    IStaking private immutable _staking;
    /// @inheritdoc IRewards
    address public immutable escrow;
    /// @inheritdoc IRewards
    uint32 public immutable epochLength;
    /// @inheritdoc IRewards
    uint96 public immutable hardCap;
    uint96 private immutable _firstBudget;
    uint32 private immutable _halvingEpochs;
    uint256 private immutable _startedAt;

    uint96 private _earned;
    uint96 private _minted;
    /// @dev Wei set aside for all epochs with a burn before `_lastEpoch`.
    uint96 private _promised;
    /// @dev The newest epoch with a burn.
    uint64 private _lastEpoch;
    /// @inheritdoc IRewards
    uint16 public betaBps;
    mapping(uint64 epoch => Epoch) private _epochs;
    mapping(address provider => Account) private _accounts;

    /// @param token_ Its minter must be this contract.
    /// @param escrow_ Says what was burned for whose work.
    /// @param staking_ Says how a reward is split, and takes the delegators' part.
    constructor(
        IMallaToken token_,
        address escrow_,
        address staking_,
        address governor_,
        Schedule memory schedule,
        uint16 betaBps_
    ) Governed(governor_) {
        if (escrow_ == address(0)) revert NotWiredTo(escrow_);
        if (staking_ == address(0)) revert NotWiredTo(staking_);
        if (token_.minter() != address(this)) revert NotWiredTo(address(token_));
        _requireBounds("epochLength", schedule.epochLength, 1 minutes, 365 days);
        _requireBounds("halvingEpochs", schedule.halvingEpochs, 1, type(uint32).max);
        // Then no mint is ever refused, whatever is still to be burned.
        _requireBounds("hardCap", schedule.hardCap, 0, token_.cap() - token_.genesisSupply());
        _requireBounds("firstBudget", schedule.firstBudget, 0, schedule.hardCap);
        _token = token_;
        escrow = escrow_;
        _staking = IStaking(staking_);
        epochLength = schedule.epochLength;
        hardCap = schedule.hardCap;
        _firstBudget = schedule.firstBudget;
        _halvingEpochs = schedule.halvingEpochs;
        _startedAt = block.timestamp;
        _setBeta(betaBps_);
    }

    /// @inheritdoc IRewards
    function accrue(address provider, uint96 burned) external {
        if (msg.sender != escrow) revert OnlyEscrow(msg.sender);
        uint64 current = epoch();
        Epoch memory total = _epochs[current];
        uint96 room = type(uint96).max - total.burned;
        uint96 counted = burned < room ? burned : room;
        if (counted == 0) return;

        if (total.burned == 0) (total.budget, total.betaBps) = _beginEpoch(current);
        total.burned += counted;
        _epochs[current] = total;
        Account memory account = _rolledUp(provider, current);
        account.epoch = current;
        account.burned += counted;
        _accounts[provider] = account;
        emit BurnAccrued(provider, current, counted);
    }

    /// @inheritdoc IRewards
    function claim(address provider) external returns (uint96 amount) {
        amount = _claim(provider);
        if (amount == 0) revert NothingToClaim(provider);
    }

    /// @inheritdoc IRewards
    function settleRewards(address provider) external returns (uint96) {
        return _claim(provider);
    }

    /// @inheritdoc IRewards
    function setBeta(uint16 betaBps_) external {
        _requireGovernor();
        _setBeta(betaBps_);
    }

    /// @inheritdoc IRewards
    function budgetOf(uint64 epoch_) external view returns (uint96) {
        Epoch memory total = _epochs[epoch_];
        return total.burned == 0 ? _budget(epoch_, _promised + _promisedOf(_lastEpoch)) : total.budget;
    }

    /// @inheritdoc IRewards
    function burnedIn(uint64 epoch_) external view returns (uint96) {
        return _epochs[epoch_].burned;
    }

    /// @inheritdoc IRewards
    function claimable(address provider) external view returns (uint96) {
        Account memory account = _accounts[provider];
        return account.accrued + _pending(account, epoch());
    }

    /// @inheritdoc IRewards
    function totals() external view returns (uint96 earned, uint96 minted) {
        return (_earned, _minted);
    }

    /// @inheritdoc IRewards
    function staking() external view returns (address) {
        return address(_staking);
    }

    /// @inheritdoc IRewards
    function capacityBudget() external pure returns (uint96) {
        return 0;
    }

    /// @inheritdoc IRewards
    function epoch() public view returns (uint64) {
        return uint64((block.timestamp - _startedAt) / epochLength);
    }

    function _claim(address provider) private returns (uint96 amount) {
        Account memory account = _rolledUp(provider, epoch());
        amount = account.accrued;
        if (amount == 0) return 0;

        account.accrued = 0;
        _accounts[provider] = account;
        (uint16 commissionBps, uint96 own, uint96 delegated) = _staking.rewardSplit(provider);
        uint96 toDelegators = RewardMath.delegatorsPart(amount, commissionBps, own, delegated).toUint96();
        uint96 toOwner = amount - toDelegators;
        emit RewardClaimed(provider, toOwner, toDelegators);
        _mintFor(amount);
        _token.safeTransfer(provider, toOwner);
        if (toDelegators != 0) {
            _token.safeTransfer(address(_staking), toDelegators);
            _staking.addDelegationReward(provider, toDelegators);
        }
    }

    /// @dev A mint writes a checkpoint of the supply, which costs as much as a claim: so one mint makes everything that
    /// anybody has earned, and the claims that follow are transfers.
    function _mintFor(uint96 amount) private {
        if (_token.balanceOf(address(this)) >= amount) return;
        uint96 earned = _earned;
        uint96 fresh = earned - _minted;
        _minted = earned;
        _token.mint(address(this), fresh);
    }

    /// @dev Settles what the last epoch with a burn set aside, and fixes the new one's terms.
    function _beginEpoch(uint64 current) private returns (uint96 budget, uint16 beta) {
        uint96 setAside = _promised + _promisedOf(_lastEpoch);
        _promised = setAside;
        _lastEpoch = current;
        return (_budget(current, setAside), betaBps);
    }

    /// @dev The account with the reward of its closed epoch added up; the caller stores it.
    function _rolledUp(address provider, uint64 current) private returns (Account memory account) {
        account = _accounts[provider];
        if (account.epoch == current) return account;
        uint96 amount = _pending(account, current);
        account.burned = 0;
        if (amount == 0) return account;
        account.accrued += amount;
        _earned += amount;
        emit Earned(provider, account.epoch, amount);
    }

    /// @dev Less than what was burned, so it fits.
    function _pending(Account memory account, uint64 current) private view returns (uint96) {
        if (account.burned == 0 || account.epoch == current) return 0;
        Epoch memory total = _epochs[account.epoch];
        return RewardMath.reward(account.burned, total.burned, total.budget, total.betaBps).toUint96();
    }

    function _promisedOf(uint64 epoch_) private view returns (uint96) {
        Epoch memory total = _epochs[epoch_];
        return RewardMath.promised(total.budget, total.burned, total.betaBps).toUint96();
    }

    function _budget(uint64 epoch_, uint96 setAside) private view returns (uint96) {
        uint96 left = hardCap - setAside;
        uint96 budget = RewardMath.scheduled(_firstBudget, _halvingEpochs, epoch_).toUint96();
        return budget < left ? budget : left;
    }

    function _setBeta(uint16 betaBps_) private {
        _requireBounds("betaBps", betaBps_, 0, MOST_BETA_BPS);
        betaBps = betaBps_;
        emit BetaChanged(betaBps_);
    }
}
