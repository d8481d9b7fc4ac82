// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

/// @title IEscrowBalances: prefunded accounts and the fees that wait to be burned
interface IEscrowBalances {
    error ZeroAmount();
    error BalanceTooLow(address account, uint256 balance, uint256 asked);
    error NothingToBurn();

    event Deposited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    event FeesBurned(uint256 amount);

    /// @notice Move `amount` of the caller's tokens into its balance.
    function deposit(uint256 amount) external;

    /// @notice `deposit` with an ERC-2612 permit in the same transaction; a permit already used is not an error as
    /// long as the allowance is there.
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Pay `amount` of the caller's free balance to the caller. Never blocked by anything.
    function withdraw(uint256 amount) external;

    /// @notice Anyone: burn the fees taken so far.
    function burnFees() external;

    function balanceOf(address account) external view returns (uint256);
    function feesToBurn() external view returns (uint256);
}
