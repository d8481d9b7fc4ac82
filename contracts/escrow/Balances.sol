// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IJobEscrow} from "../interfaces/IJobEscrow.sol";
import {IMallaToken} from "../interfaces/IMallaToken.sol";
import {Terms} from "./Terms.sol";

/// @title Balances: prefunded accounts and the fees that wait to be burned
/// @dev No function guards against re-entrancy: the token is `MallaToken`, which calls nobody back, and state is
/// written before it is called.
abstract contract Balances is Terms {
    using SafeERC20 for IMallaToken;

    mapping(address account => uint256) private _balances;
    uint256 private _fees;

    /// @inheritdoc IJobEscrow
    function deposit(uint256 amount) public {
        if (amount == 0) revert ZeroAmount();
        _credit(msg.sender, amount);
        emit Deposited(msg.sender, amount);
        _token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IJobEscrow
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        // Whoever sees the permit may use it first; the allowance is then there, and `deposit` says so if it is not.
        // solhint-disable-next-line no-empty-blocks
        try _token.permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        deposit(amount);
    }

    /// @inheritdoc IJobEscrow
    function withdraw(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        _debit(msg.sender, amount);
        emit Withdrawn(msg.sender, amount);
        _token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IJobEscrow
    function burnFees() external {
        uint256 amount = _fees;
        if (amount == 0) revert NothingToBurn();
        _fees = 0;
        emit FeesBurned(amount);
        _token.burn(amount);
    }

    /// @inheritdoc IJobEscrow
    function balanceOf(address account) external view returns (uint256) {
        return _balances[account];
    }

    /// @inheritdoc IJobEscrow
    function feesToBurn() external view returns (uint256) {
        return _fees;
    }

    function _credit(address account, uint256 amount) internal {
        if (amount != 0) _balances[account] += amount;
    }

    function _debit(address account, uint256 amount) internal {
        uint256 balance = _balances[account];
        if (amount > balance) revert BalanceTooLow(account, balance, amount);
        _balances[account] = balance - amount;
    }

    function _takeFee(uint256 amount) internal {
        if (amount != 0) _fees += amount;
    }
}
