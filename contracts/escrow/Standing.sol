// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IGuarded} from "../interfaces/IGuarded.sol";
import {IEscrowJobs} from "../interfaces/escrow/IEscrowJobs.sol";
import {EscrowHashes} from "../libraries/EscrowHashes.sol";
import {JobMath} from "../libraries/JobMath.sol";
import {EscrowBase} from "./EscrowBase.sol";
import {OpeningTerms} from "./EscrowState.sol";

/// @title Standing: whether an offer may open something now, and whether a stake stands behind it
abstract contract Standing is EscrowBase {
    /// @dev The terms of what begins now. Reverts while paused.
    function _openingTerms() internal view returns (OpeningTerms memory terms) {
        terms = _state.opening;
        if (block.timestamp < terms.pausedUntil) revert IGuarded.Paused(terms.pausedUntil);
    }

    /// @dev Reverts unless the offer opens jobs and sessions now, its provider is not frozen and its active stake makes
    /// cheating on one unit of `price` a loss. Returns the offer's digest.
    function _requireStanding(
        IEscrowJobs.Offer calldata offer,
        bytes calldata signature,
        IEscrowJobs.ProviderRecord memory its,
        OpeningTerms memory terms,
        uint256 price
    ) internal view returns (bytes32 digest) {
        if (block.timestamp >= offer.expiry) {
            revert IEscrowJobs.OfferExpired(offer.expiry, block.timestamp);
        }
        if (offer.nonce < its.offersFrom) {
            revert IEscrowJobs.OfferIsRevoked(offer.provider, offer.nonce, its.offersFrom);
        }
        if (its.frozenBatch != 0) revert IEscrowJobs.ProviderIsFrozen(offer.provider, its.frozenBatch);
        digest = _offerDigest(offer);
        (address nodeKey, uint96 active) = _staking.standingOf(offer.provider);
        // Why a signature is malformed does not matter: it recovers to zero, which is refused below.
        // slither-disable-next-line unused-return
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        // A malformed signature recovers to zero, which is also the key of an account that never registered.
        if (recovered != nodeKey || nodeKey == address(0)) {
            revert IEscrowJobs.OfferSignatureInvalid(offer.provider, nodeKey, recovered);
        }
        _requireDeterrence(
            offer.provider, active, JobMath.neededStake(price, terms.slashBps, terms.challengerBps, terms.detectionBps)
        );
    }

    function _requireDeterrence(address provider, uint256 active, uint256 needed) internal pure {
        if (active < needed) revert IEscrowJobs.StakeDoesNotDeter(provider, active, needed);
    }

    function _offerDigest(IEscrowJobs.Offer calldata offer) internal view returns (bytes32) {
        return _hashTypedDataV4(EscrowHashes.hashOffer(offer));
    }

    /// @dev Whether a conviction at `convictedAt` (zero: never) reaches what was opened at `openedAt`.
    function _isConvicted(uint256 openedAt, uint256 convictedAt) internal pure returns (bool) {
        return openedAt <= convictedAt;
    }
}
