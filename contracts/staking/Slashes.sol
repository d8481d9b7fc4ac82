// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMallaToken} from "../interfaces/IMallaToken.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {SharePool} from "../libraries/SharePool.sol";
import {StakeBook} from "./StakeBook.sol";

/// @title Slashes: what the escrow and the court take, and who gets it
abstract contract Slashes is StakeBook {
    using SafeERC20 for IMallaToken;
    using SharePool for SharePool.Pool;

    uint16 private constant BPS = 10_000;

    /// @inheritdoc IStaking
    function slash(address provider, uint16 bps, address challenger, uint16 challengerBps, uint96 maxShare)
        external
        returns (uint96 slashed)
    {
        if (msg.sender != escrow) revert OnlyEscrow(msg.sender);
        if (bps > BPS) revert SlashTooLarge(bps);
        if (challengerBps > BPS) revert SlashTooLarge(challengerBps);

        Account storage account = _accounts[provider];
        uint96 active = account.active;
        uint96 fromActive = SharePool.partOf(active, bps);
        account.active = active - fromActive;
        uint96 fromUnstaking = _slashUnstaking(account, bps);
        uint96 fromDelegation = _slashDelegated(account, bps) + _slashUndelegating(account, bps);
        emit Slashed(provider, fromActive, fromUnstaking, fromDelegation, bps);

        slashed = fromActive + fromUnstaking;
        uint96 share = uint96(Math.min(uint256(slashed) * challengerBps / BPS, maxShare));
        if (challenger == address(0)) share = 0;
        _condemned += slashed - share + fromDelegation;
        _award(challenger, provider, share);
    }

    /// @inheritdoc IStaking
    function seize(address provider, uint96 amount, address beneficiary) external returns (uint96 taken) {
        if (msg.sender != court) revert OnlyCourt(msg.sender);

        Account storage account = _accounts[provider];
        uint96 active = account.active;
        taken = amount < active ? amount : active;
        account.active = active - taken;
        SharePool.Pool memory pool = account.unstaking;
        uint96 more = uint96(Math.min(amount - taken, pool.tokens));
        if (more != 0) {
            pool.reduce(more);
            account.unstaking = pool;
            taken += more;
        }
        emit Seized(provider, beneficiary, taken);
        _award(beneficiary, provider, taken);
    }

    /// @inheritdoc IStaking
    function burnCondemned() external {
        uint96 amount = _condemned;
        if (amount == 0) revert NothingCondemned();
        _condemned = 0;
        emit CondemnedBurned(amount);
        _token.burn(amount);
    }

    /// @inheritdoc IStaking
    function claimAward() external returns (uint96 amount) {
        amount = _awards[msg.sender];
        if (amount == 0) revert NoAward(msg.sender);
        delete _awards[msg.sender];
        emit AwardClaimed(msg.sender, amount);
        _token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IStaking
    function condemned() external view returns (uint96) {
        return _condemned;
    }

    /// @inheritdoc IStaking
    function awardOf(address account) external view returns (uint96) {
        return _awards[account];
    }

    function _slashUnstaking(Account storage account, uint16 bps) private returns (uint96 part) {
        SharePool.Pool memory pool = account.unstaking;
        part = SharePool.partOf(pool.tokens, bps);
        if (part == 0) return 0;
        pool.reduce(part);
        account.unstaking = pool;
    }

    function _slashUndelegating(Account storage account, uint16 bps) private returns (uint96 part) {
        SharePool.Pool memory pool = account.undelegating;
        part = SharePool.partOf(pool.tokens, bps);
        if (part == 0) return 0;
        pool.reduce(part);
        account.undelegating = pool;
    }

    /// @dev The shares stay as they are: nobody is made to join this pool, so it may wear out.
    function _slashDelegated(Account storage account, uint16 bps) private returns (uint96 part) {
        uint96 tokens = account.delegated.tokens;
        part = SharePool.partOf(tokens, bps);
        if (part != 0) account.delegated.tokens = tokens - part;
    }

    function _award(address account, address provider, uint96 amount) private {
        if (amount == 0) return;
        _awards[account] += amount;
        emit Awarded(account, provider, amount);
    }
}
