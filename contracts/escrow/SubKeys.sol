// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowSessions} from "../interfaces/escrow/IEscrowSessions.sol";
import {Standing} from "./Standing.sol";

/// @title SubKeys: keys that may sign a requester's vouchers, within an amount, a time and models
/// @dev A key's allowance is used by the caps of the sessions that are opened for it, not by vouchers: a provider that
/// accepts a voucher knows that no other session can have used up what it relies on.
abstract contract SubKeys is Standing, IEscrowSessions {
    uint256 private constant MAX_MODELS = 16;

    /// @inheritdoc IEscrowSessions
    function authoriseKey(address key, uint96 cap, uint40 endsAt, bytes32[] calldata models) external {
        if (key == address(0) || key == msg.sender) revert KeyNotAuthorised(msg.sender, key);
        if (_state.keys[msg.sender][key].endsAt != 0) revert KeyExists(msg.sender, key);
        if (block.timestamp >= endsAt) revert KeyExpired(msg.sender, key, endsAt);
        if (models.length > MAX_MODELS) revert TooManyModels(models.length, MAX_MODELS);

        _state.keys[msg.sender][key] = KeyRecord(cap, 0, endsAt, models.length == 0);
        for (uint256 i; i < models.length; ++i) {
            _state.models[msg.sender][key][models[i]] = true;
        }
        emit KeyAuthorised(msg.sender, key, cap, endsAt, models);
    }

    /// @inheritdoc IEscrowSessions
    function revokeKey(address key) external {
        KeyRecord storage record = _state.keys[msg.sender][key];
        uint40 endsAt = record.endsAt;
        if (endsAt == 0) revert KeyNotAuthorised(msg.sender, key);

        // The longest of all terms so far: a session that is open keeps the delay that its provider relies on.
        uint256 soon = block.timestamp + _state.longestClaim;
        if (soon < endsAt) endsAt = uint40(soon);
        record.cap = 0; // no session opens for it any more
        record.endsAt = endsAt;
        emit KeyRevoked(msg.sender, key, endsAt);
    }

    /// @inheritdoc IEscrowSessions
    function keyRecord(address requester, address key) external view returns (KeyRecord memory) {
        return _state.keys[requester][key];
    }

    /// @inheritdoc IEscrowSessions
    function isModelAllowed(address requester, address key, bytes32 model) public view returns (bool) {
        return _state.keys[requester][key].anyModel || _state.models[requester][key][model];
    }

    function _requireModel(address requester, address key, bytes32 model) internal view {
        if (_state.keys[requester][key].endsAt == 0) revert KeyNotAuthorised(requester, key);
        if (!isModelAllowed(requester, key, model)) revert ModelNotAllowed(key, model);
    }

    /// @dev Reverts unless the key may take on `amount` more; a zero key is the requester itself. One that was never
    /// authorised opens nothing (`_requireModel`), so there is nothing of it to top up either.
    function _useKey(address requester, address key, uint96 amount) internal {
        if (key == address(0)) return;
        KeyRecord memory record = _state.keys[requester][key];
        if (block.timestamp >= record.endsAt) revert KeyExpired(requester, key, record.endsAt);
        uint256 left = record.cap > record.used ? record.cap - record.used : 0;
        if (amount > left) revert KeyCapTooLow(requester, key, left, amount);
        _state.keys[requester][key].used = record.used + amount;
    }
}
