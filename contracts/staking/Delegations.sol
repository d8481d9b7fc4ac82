// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMallaToken} from "../interfaces/IMallaToken.sol";
import {IRewards} from "../interfaces/IRewards.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {ExitQueue} from "../libraries/ExitQueue.sol";
import {Intake} from "../libraries/Intake.sol";
import {SharePool} from "../libraries/SharePool.sol";
import {StakeBook} from "./StakeBook.sol";

/// @title Delegations: what others lock with a provider for a part of its rewards
abstract contract Delegations is StakeBook {
    using ExitQueue for ExitQueue.Exit[16];
    using Intake for IMallaToken;
    using SafeERC20 for IMallaToken;
    using SharePool for SharePool.Pool;

    uint256 private constant LEAST_DELEGATION = 1 ether;
    uint16 private constant MOST_COMMISSION = 5_000;

    /// @inheritdoc IStaking
    function delegate(address provider, uint96 amount) external returns (uint128 shares) {
        _requireNotPaused();
        Account storage account = _requireRegistered(provider);
        if (!account.commission.isNamed) revert DelegationNotOpen(provider);
        // What it paid is in the pool by now, which is read after it.
        // slither-disable-next-line unused-return
        IRewards(rewards).settleRewards(provider);
        SharePool.Pool memory pool = account.delegated;
        if (pool.isWornOut()) revert DelegationPoolIsDead(provider);
        uint256 least = Math.max(LEAST_DELEGATION, pool.leastEntry());
        if (amount < least) revert DelegationTooSmall(amount, least);

        shares = pool.enter(amount);
        account.delegated = pool;
        _delegations[provider][msg.sender].shares += shares;
        emit Delegated(provider, msg.sender, amount, shares);
        _token.pull(amount);
    }

    /// @inheritdoc IStaking
    function undelegate(address provider, uint128 shares) external {
        Account storage account = _accounts[provider];
        Delegation storage its = _delegations[provider][msg.sender];
        (uint128 held, uint16 used) = (its.shares, its.used);
        if (shares == 0) revert ZeroAmount();
        if (shares > held) revert TooFewShares(provider, msg.sender, held, shares);
        if (ExitQueue.isFull(used)) revert TooManyUnstakings(provider, ExitQueue.LIMIT);

        SharePool.Pool memory pool = account.delegated;
        uint96 amount = pool.redeem(shares);
        account.delegated = pool;
        pool = account.undelegating;
        uint40 releaseAt = _releaseAt();
        ExitQueue.Exit memory exit = ExitQueue.Exit(pool.enter(amount), releaseAt, pool.scale);
        account.undelegating = pool;
        its.shares = held - shares;
        its.used = its.undelegations.put(used, exit);
        emit UndelegateStarted(provider, msg.sender, shares, amount, releaseAt);
    }

    /// @inheritdoc IStaking
    function withdrawDelegation(address provider) external returns (uint96 amount) {
        Account storage account = _accounts[provider];
        Delegation storage its = _delegations[provider][msg.sender];
        SharePool.Pool memory pool = account.undelegating;
        uint16 used = its.used;
        (uint128 shares, uint16 left, uint256 nextAt) = its.undelegations.takeDue(used, pool);
        if (left == used) revert NothingToWithdraw(provider, nextAt);

        its.used = left;
        amount = pool.redeem(shares);
        account.undelegating = pool;
        emit DelegationWithdrawn(provider, msg.sender, amount);
        _token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IStaking
    function setCommission(uint16 bps) external {
        Account storage account = _requireRegistered(msg.sender);
        if (bps > MOST_COMMISSION) revert CommissionTooHigh(bps, MOST_COMMISSION);

        Commission memory commission = account.commission;
        uint16 current = _inForce(commission);
        uint40 from = uint40(block.timestamp);
        if (commission.isNamed && bps > current) from = _releaseAt();
        account.commission = Commission({current: current, next: bps, from: from, isNamed: true});
        emit CommissionChanged(msg.sender, bps, from);
    }

    /// @inheritdoc IStaking
    function addDelegationReward(address provider, uint96 amount) external {
        if (msg.sender != rewards) revert OnlyRewards(msg.sender);
        _accounts[provider].delegated.tokens += amount;
        emit DelegationRewarded(provider, amount);
    }

    /// @inheritdoc IStaking
    function rewardSplit(address provider) external view returns (uint16 commissionBps, uint96 own, uint96 delegated) {
        Account storage account = _accounts[provider];
        commissionBps = _inForce(account.commission);
        own = account.active;
        // What rounding left in a pool without owners earns nothing.
        if (account.delegated.shares != 0) delegated = account.delegated.tokens;
    }

    /// @inheritdoc IStaking
    function delegation(address provider, address delegator) external view returns (uint128 shares, uint96 amount) {
        shares = _delegations[provider][delegator].shares;
        SharePool.Pool memory pool = _accounts[provider].delegated;
        amount = pool.amountFor(shares);
    }

    /// @inheritdoc IStaking
    function undelegations(address provider, address delegator) external view returns (Unstaking[] memory) {
        Delegation storage its = _delegations[provider][delegator];
        return its.undelegations.list(its.used, _accounts[provider].undelegating);
    }

    /// @inheritdoc IStaking
    function delegatedStake(address provider) external view returns (uint96) {
        return _accounts[provider].delegated.tokens;
    }

    /// @inheritdoc IStaking
    function delegationPool(address provider) external view returns (uint96 tokens, uint128 shares, uint96 unstaking) {
        Account storage account = _accounts[provider];
        return (account.delegated.tokens, account.delegated.shares, account.undelegating.tokens);
    }

    function _inForce(Commission memory commission) private view returns (uint16) {
        return block.timestamp < commission.from ? commission.current : commission.next;
    }
}
