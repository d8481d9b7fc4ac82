// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IMallaToken} from "../interfaces/IMallaToken.sol";
import {IEscrowBalances} from "../interfaces/escrow/IEscrowBalances.sol";
import {Accounts} from "./Accounts.sol";
import {EscrowBase} from "./EscrowBase.sol";
import {EscrowState} from "./EscrowState.sol";
import {Intake} from "../libraries/Intake.sol";

/// @title Balances: prefunded accounts and the fees that wait to be burned
/// @dev No function guards against re-entrancy: the token is `MallaToken`, which calls nobody back, and state is
/// written before it is called.
abstract contract Balances is EscrowBase, IEscrowBalances {
    using Intake for IMallaToken;
    using SafeERC20 for IMallaToken;
    using Accounts for EscrowState;

    /// @inheritdoc IEscrowBalances
    function deposit(uint256 amount) public {
        if (amount == 0) revert ZeroAmount();
        _state.credit(msg.sender, amount);
        emit Deposited(msg.sender, amount);
        _token.pull(amount);
    }

    /// @inheritdoc IEscrowBalances
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        // Whoever sees the permit may use it first; the allowance is then there, and `deposit` says so if it is not.
        // solhint-disable-next-line no-empty-blocks
        try _token.permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        deposit(amount);
    }

    /// @inheritdoc IEscrowBalances
    function withdraw(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        _state.debit(msg.sender, amount);
        emit Withdrawn(msg.sender, amount);
        _token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IEscrowBalances
    function burnFees() external {
        uint256 amount = _state.ledger.fees;
        if (amount == 0) revert NothingToBurn();
        _state.ledger.fees = 0;
        emit FeesBurned(amount);
        _token.burn(amount);
    }

    /// @inheritdoc IEscrowBalances
    function balanceOf(address account) external view returns (uint256) {
        return _state.balances[account];
    }

    /// @inheritdoc IEscrowBalances
    function feesToBurn() external view returns (uint256) {
        return _state.ledger.fees;
    }
}
