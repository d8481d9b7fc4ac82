// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IDisputeCourt} from "./interfaces/IDisputeCourt.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {IEscrowTerms} from "./interfaces/escrow/IEscrowTerms.sol";
import {Delegations} from "./staking/Delegations.sol";
import {NodeKeys} from "./staking/NodeKeys.sol";
import {OwnStake} from "./staking/OwnStake.sol";
import {Slashes} from "./staking/Slashes.sol";
import {StakeBook} from "./staking/StakeBook.sol";

/// @title Staking: what a provider can lose
/// @notice The manual is `IStaking`.
contract Staking is NodeKeys, OwnStake, Delegations, Slashes {
    uint256 private constant LEAST_UNSTAKE_DELAY = 1 minutes;
    uint256 private constant MOST_UNSTAKE_DELAY = 90 days;
    uint256 private constant MOST_DELEGATION_MULTIPLE = 16;

    /// @param parts Contracts that may not be deployed yet, at the addresses predicted for them.
    /// @param unstakeDelay_ Seconds from `unstake` to `withdraw`; the escrow's constructor checks that it is long
    /// enough.
    constructor(StakingWiring memory parts, uint32 unstakeDelay_, uint16 delegationMultiple_, address guardian_)
        EIP712("Malla", "1")
        StakeBook(parts, guardian_)
    {
        _requireBounds("unstakeDelay", unstakeDelay_, LEAST_UNSTAKE_DELAY, MOST_UNSTAKE_DELAY);
        _setUnstakeDelay(unstakeDelay_);
        _setDelegationMultiple(delegationMultiple_);
    }

    /// @inheritdoc IStaking
    function setUnstakeDelay(uint32 unstakeDelay_) external {
        _requireGovernor();
        uint256 least = IEscrowTerms(escrow).longestWay() + IDisputeCourt(court).rulingWindow();
        uint256 most = Math.min(TimelockController(payable(governor)).getMinDelay(), MOST_UNSTAKE_DELAY);
        _requireBounds("unstakeDelay", unstakeDelay_, least, most);
        _setUnstakeDelay(unstakeDelay_);
    }

    /// @inheritdoc IStaking
    function setDelegationMultiple(uint16 multiple) external {
        _requireGovernor();
        _setDelegationMultiple(multiple);
    }

    /// @inheritdoc IStaking
    function standingOf(address owner) external view returns (address nodeKey, uint96 active) {
        Account storage account = _accounts[owner];
        return (account.nodeKey, account.active);
    }

    /// @inheritdoc IStaking
    function provider(address owner) external view returns (Provider memory) {
        Account storage account = _accounts[owner];
        return Provider({
            active: account.active,
            unstaking: account.unstaking.tokens,
            nodeKey: account.nodeKey,
            encryptionKey: account.encryptionKey,
            metadataDigest: account.metadataDigest
        });
    }

    /// @inheritdoc IStaking
    function activeStake(address owner) external view returns (uint96) {
        return _accounts[owner].active;
    }

    /// @inheritdoc IStaking
    function slashableStake(address owner) external view returns (uint96) {
        Account storage account = _accounts[owner];
        return account.active + account.unstaking.tokens;
    }

    /// @inheritdoc IStaking
    function capacityOf(address owner) external view returns (uint256) {
        Account storage account = _accounts[owner];
        uint256 active = account.active;
        return active + Math.min(account.delegated.tokens, delegationMultiple * active);
    }

    /// @inheritdoc IStaking
    function nodeKeyOf(address owner) external view returns (address) {
        return _accounts[owner].nodeKey;
    }

    function _setUnstakeDelay(uint32 unstakeDelay_) private {
        unstakeDelay = unstakeDelay_;
        emit UnstakeDelayChanged(unstakeDelay_);
    }

    function _setDelegationMultiple(uint16 multiple) private {
        _requireBounds("delegationMultiple", multiple, 0, MOST_DELEGATION_MULTIPLE);
        delegationMultiple = multiple;
        emit DelegationMultipleChanged(multiple);
    }
}
