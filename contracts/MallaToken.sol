// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC6372} from "@openzeppelin/contracts/interfaces/IERC6372.sol";
import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {IMallaToken} from "./interfaces/IMallaToken.sol";

/// @title MallaToken: what jobs are paid in and what is staked
/// @notice The manual is `IMallaToken`.
contract MallaToken is ERC20Permit, ERC20Votes, ERC20Burnable, ERC20Capped, IMallaToken {
    /// @dev One thousand million tokens: 1e27 wei, a hundredth of what `uint96` holds.
    uint256 private constant CAP = 1e9 ether;

    /// @inheritdoc IMallaToken
    uint256 public immutable genesisSupply;
    /// @inheritdoc IMallaToken
    address public immutable minter;

    /// @param genesis Who gets the first supply.
    /// @param minter_ The rewards contract, which is deployed later.
    constructor(Allocation[] memory genesis, address minter_)
        ERC20("Malla", "MALLA")
        ERC20Permit("Malla")
        ERC20Capped(CAP)
    {
        if (genesis.length == 0) revert EmptyGenesis();
        minter = minter_;
        for (uint256 i; i < genesis.length; ++i) {
            if (genesis[i].amount == 0) revert ZeroAllocation(genesis[i].to);
            _mint(genesis[i].to, genesis[i].amount);
        }
        genesisSupply = totalSupply();
    }

    /// @inheritdoc IMallaToken
    function mint(address to, uint256 amount) external {
        if (msg.sender != minter) revert OnlyMinter(msg.sender);
        _mint(to, amount);
    }

    /// @inheritdoc IMallaToken
    function burn(uint256 amount) public override(ERC20Burnable, IMallaToken) {
        super.burn(amount);
    }

    /// @inheritdoc IMallaToken
    function burnFrom(address account, uint256 amount) public override(ERC20Burnable, IMallaToken) {
        super.burnFrom(account, amount);
    }

    /// @inheritdoc IMallaToken
    function cap() public view override(ERC20Capped, IMallaToken) returns (uint256) {
        return super.cap();
    }

    function nonces(address owner) public view override(ERC20Permit, IERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function clock() public view override(Votes, IERC6372) returns (uint48) {
        return Time.timestamp();
    }

    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override(Votes, IERC6372) returns (string memory) {
        return "mode=timestamp";
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Capped, ERC20Votes) {
        super._update(from, to, value);
    }
}
