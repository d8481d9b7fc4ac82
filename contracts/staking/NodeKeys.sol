// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {StakeBook} from "./StakeBook.sol";

/// @title NodeKeys: which hot key speaks for which provider, and since when
abstract contract NodeKeys is StakeBook, EIP712 {
    bytes32 private constant NODE_KEY_TYPEHASH = keccak256("NodeKey(address provider,address nodeKey)");

    mapping(address nodeKey => KeyPeriod) private _keyPeriods;

    /// @inheritdoc IStaking
    function register(address nodeKey, bytes32 encryptionKey, bytes32 metadataDigest, bytes calldata nodeKeySignature)
        external
    {
        Account storage account = _accounts[msg.sender];
        if (account.nodeKey != address(0)) revert AlreadyRegistered(msg.sender);
        _requireFreshKey(nodeKey, encryptionKey, nodeKeySignature);

        _authorise(account, nodeKey, encryptionKey);
        account.metadataDigest = metadataDigest;
        emit ProviderRegistered(msg.sender, nodeKey, encryptionKey, metadataDigest);
    }

    /// @inheritdoc IStaking
    function rotateNodeKey(address nodeKey, bytes32 encryptionKey, bytes calldata nodeKeySignature) external {
        Account storage account = _requireRegistered(msg.sender);
        _requireFreshKey(nodeKey, encryptionKey, nodeKeySignature);

        _keyPeriods[account.nodeKey].until = uint40(block.timestamp);
        _authorise(account, nodeKey, encryptionKey);
        emit NodeKeyRotated(msg.sender, nodeKey, encryptionKey);
    }

    /// @inheritdoc IStaking
    function setMetadata(bytes32 metadataDigest) external {
        _requireRegistered(msg.sender).metadataDigest = metadataDigest;
        emit MetadataChanged(msg.sender, metadataDigest);
    }

    /// @inheritdoc IStaking
    function speakerOf(address nodeKey) external view returns (address provider, uint96 active) {
        provider = providerOf(nodeKey);
        active = _accounts[provider].active;
    }

    /// @inheritdoc IStaking
    function keyPeriod(address nodeKey) external view returns (KeyPeriod memory) {
        return _keyPeriods[nodeKey];
    }

    /// @inheritdoc IStaking
    function providerOf(address nodeKey) public view returns (address) {
        KeyPeriod memory period = _keyPeriods[nodeKey];
        // Zero is what says that it has not ended, not an amount.
        // slither-disable-next-line incorrect-equality
        return period.until == 0 ? period.provider : address(0);
    }

    function _requireFreshKey(address nodeKey, bytes32 encryptionKey, bytes calldata signature) private view {
        if (nodeKey == address(0)) revert ZeroNodeKey();
        if (encryptionKey == 0) revert ZeroEncryptionKey();
        address earlier = _keyPeriods[nodeKey].provider;
        if (earlier != address(0)) revert NodeKeyAlreadyUsed(nodeKey, earlier);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(NODE_KEY_TYPEHASH, msg.sender, nodeKey)));
        // The kind of failure says nothing more: no failure recovers the key.
        // slither-disable-next-line unused-return
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (recovered != nodeKey) revert NodeKeySignatureInvalid(nodeKey, recovered);
    }

    function _authorise(Account storage account, address nodeKey, bytes32 encryptionKey) private {
        _keyPeriods[nodeKey] = KeyPeriod(msg.sender, uint40(block.timestamp), 0);
        account.nodeKey = nodeKey;
        account.encryptionKey = encryptionKey;
    }
}
