// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {Governed} from "../governance/Governed.sol";
import {Guarded} from "../governance/Guarded.sol";
import {IMallaToken} from "../interfaces/IMallaToken.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {ExitQueue} from "../libraries/ExitQueue.sol";
import {SharePool} from "../libraries/SharePool.sol";

/// @title StakeBook: what is written down about each provider, and the contracts that stakes work with
abstract contract StakeBook is IStaking, Guarded {
    /// @param current In force until `from`.
    /// @param next In force from `from` on.
    /// @param from Unix second.
    /// @param isNamed Whether the provider ever named one, which is what opens its pool.
    struct Commission {
        uint16 current;
        uint16 next;
        uint40 from;
        bool isNamed;
    }

    /// @dev The two things that opening a job asks for share a slot, and so does each pool: one cold read.
    struct Account {
        uint96 active;
        address nodeKey;
        SharePool.Pool unstaking;
        SharePool.Pool delegated;
        SharePool.Pool undelegating;
        Commission commission;
        bytes32 encryptionKey;
        bytes32 metadataDigest;
        ExitQueue.Exit[16] unstakings;
    }

    /// @param used Which places of `undelegations` are taken, a bit each.
    struct Delegation {
        uint128 shares;
        uint16 used;
        ExitQueue.Exit[16] undelegations;
    }

    IMallaToken internal immutable _token;
    /// @inheritdoc IStaking
    address public immutable escrow;
    /// @inheritdoc IStaking
    address public immutable court;
    /// @inheritdoc IStaking
    address public immutable rewards;

    /// @dev Shares its slot with what is never zero, so that condemning never pays for a fresh slot.
    uint96 internal _condemned;
    /// @inheritdoc IStaking
    uint32 public unstakeDelay;
    /// @inheritdoc IStaking
    uint16 public delegationMultiple;
    mapping(address provider => Account) internal _accounts;
    mapping(address provider => mapping(address delegator => Delegation)) internal _delegations;
    mapping(address account => uint96) internal _awards;

    constructor(StakingWiring memory parts, address guardian_) Governed(parts.governor) Guarded(guardian_) {
        _requireWired(address(parts.token));
        _requireWired(parts.escrow);
        _requireWired(parts.court);
        _requireWired(parts.rewards);
        _token = parts.token;
        escrow = parts.escrow;
        court = parts.court;
        rewards = parts.rewards;
    }

    function _requireRegistered(address provider) internal view returns (Account storage account) {
        account = _accounts[provider];
        if (account.nodeKey == address(0)) revert NotRegistered(provider);
    }

    function _releaseAt() internal view returns (uint40) {
        return uint40(block.timestamp + unstakeDelay);
    }

    function _requireWired(address part) private pure {
        if (part == address(0)) revert NotWiredTo(part);
    }
}
