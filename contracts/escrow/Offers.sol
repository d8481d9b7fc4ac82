// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IJobEscrow} from "../interfaces/IJobEscrow.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {Balances} from "./Balances.sol";

/// @title Offers: a provider's signed standing prices
abstract contract Offers is Balances, EIP712 {
    mapping(address provider => mapping(uint64 nonce => bool)) private _revoked;

    /// @inheritdoc IJobEscrow
    function revokeOffer(uint64 nonce) external {
        // An account that is a provider itself speaks for itself, also if another provider named it its node key.
        address provider = msg.sender;
        if (_staking.nodeKeyOf(provider) == address(0)) provider = _providerOf(msg.sender);
        _revoked[provider][nonce] = true;
        emit OfferRevoked(provider, nonce);
    }

    /// @inheritdoc IJobEscrow
    function isOfferRevoked(address provider, uint64 nonce) external view returns (bool) {
        return _revoked[provider][nonce];
    }

    /// @inheritdoc IJobEscrow
    function offerDigest(Offer calldata offer) public view returns (bytes32) {
        return _hashTypedDataV4(EscrowHashes.hashOffer(offer));
    }

    /// @dev Reverts unless the offer opens jobs now; returns its digest.
    function _requireStanding(Offer calldata offer, bytes calldata signature) internal view returns (bytes32 digest) {
        if (block.timestamp >= offer.expiry) revert OfferExpired(offer.expiry, block.timestamp);
        if (_revoked[offer.provider][offer.nonce]) revert OfferIsRevoked(offer.provider, offer.nonce);
        digest = offerDigest(offer);
        address nodeKey = _staking.nodeKeyOf(offer.provider);
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        // A malformed signature recovers to zero, which is also the key of an account that never registered.
        if (recovered != nodeKey || nodeKey == address(0)) {
            revert OfferSignatureInvalid(offer.provider, nodeKey, recovered);
        }
    }

    /// @dev The provider for which `nodeKey` speaks today.
    function _providerOf(address nodeKey) internal view returns (address provider) {
        provider = _staking.providerOf(nodeKey);
        if (provider == address(0)) revert UnknownNodeKey(nodeKey);
    }
}
