// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC5805} from "@openzeppelin/contracts/interfaces/IERC5805.sol";

/// @title MallaToken: what jobs are paid in and what is staked
/// @notice An ERC-20 token with ERC-2612 permits and votes, 18 decimals. The whole genesis supply is minted by the
/// constructor to the accounts of the deploy plan; afterwards only `Rewards` mints, and every holder may burn its own.
/// @dev The cap is below 2^96 - 1 wei, so every amount of the token fits `uint96`. Votes are counted by time
/// (ERC-6372), because every deadline of Malla is in seconds.
interface IMallaToken is IERC20, IERC20Permit, IERC5805 {
    /// @param to Receiver of a part of the genesis supply.
    /// @param amount Wei minted to it.
    struct Allocation {
        address to;
        uint256 amount;
    }

    error EmptyGenesis();
    error ZeroAllocation(address to);
    error OnlyMinter(address caller);

    /// @notice The minter, which is the rewards contract, makes `amount` new tokens for `to`, never above the cap.
    function mint(address to, uint256 amount) external;

    /// @notice Destroy `amount` of the caller's tokens.
    function burn(uint256 amount) external;

    /// @notice Destroy `amount` of `account`'s tokens, out of the caller's allowance.
    function burnFrom(address account, uint256 amount) external;

    /// @notice Most wei that may ever exist at once.
    function cap() external view returns (uint256);

    /// @notice The only account that may mint; fixed by the constructor.
    function minter() external view returns (address);

    /// @notice Wei that the constructor minted; the right side of the token's ledger equation, with what was minted
    /// since and less what was burned.
    function genesisSupply() external view returns (uint256);
}
