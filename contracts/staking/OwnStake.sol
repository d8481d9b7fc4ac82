// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IMallaToken} from "../interfaces/IMallaToken.sol";
import {IRewards} from "../interfaces/IRewards.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {ExitQueue} from "../libraries/ExitQueue.sol";
import {Intake} from "../libraries/Intake.sol";
import {SharePool} from "../libraries/SharePool.sol";
import {StakeBook} from "./StakeBook.sol";

/// @title OwnStake: what a provider itself puts in and takes out
abstract contract OwnStake is StakeBook {
    using ExitQueue for ExitQueue.Exit[16];
    using Intake for IMallaToken;
    using SafeERC20 for IMallaToken;
    using SharePool for SharePool.Pool;

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
        SharePool.Pool memory pool = account.unstaking;
        if (ExitQueue.isFull(pool.used)) revert TooManyUnstakings(msg.sender, ExitQueue.LIMIT);

        active -= amount;
        account.active = active;
        uint40 releaseAt = _releaseAt();
        uint128 shares = pool.enter(amount);
        pool.used = account.unstakings.put(pool.used, ExitQueue.Exit(shares, releaseAt, pool.scale));
        account.unstaking = pool;
        emit UnstakeStarted(msg.sender, amount, releaseAt, active);
    }

    /// @inheritdoc IStaking
    function withdraw() external returns (uint96 amount) {
        Account storage account = _accounts[msg.sender];
        SharePool.Pool memory pool = account.unstaking;
        (uint128 shares, uint16 left, uint256 nextAt) = account.unstakings.takeDue(pool.used, pool);
        if (left == pool.used) revert NothingToWithdraw(msg.sender, nextAt);

        pool.used = left;
        amount = pool.redeem(shares);
        account.unstaking = pool;
        emit Withdrawn(msg.sender, amount);
        _token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IStaking
    function unstakings(address owner) external view returns (Unstaking[] memory) {
        Account storage account = _accounts[owner];
        SharePool.Pool memory pool = account.unstaking;
        return account.unstakings.list(pool.used, pool);
    }

    /// @inheritdoc IStaking
    function stake(uint96 amount) public {
        _requireNotPaused();
        Account storage account = _requireRegistered(msg.sender);
        if (amount == 0) revert ZeroAmount();
        // Rewards are split by the stakes of the moment: those of the past are not split by what comes now.
        // slither-disable-next-line unused-return
        if (account.delegated.shares != 0) IRewards(rewards).settleRewards(msg.sender);

        uint96 active = account.active + amount;
        account.active = active;
        emit Staked(msg.sender, amount, active);
        _token.pull(amount);
    }
}
