// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {Book} from "./Book.sol";
import {Moves} from "./Moves.sol";
import {Shadow} from "./Shadow.sol";

/// @title The provider's standing offer in every move
library Offers {
    /// @notice Prices between half and twice the usual ones, by provider.
    function standing(address provider, uint48 nonce) internal pure returns (IEscrowJobs.Offer memory offer) {
        offer.provider = provider;
        offer.model = bytes32(uint256(7));
        offer.inputPrice = 0.001 ether;
        offer.outputPrice = 0.005 ether + 1;
        offer.maxInputTokens = 1_000;
        offer.maxOutputTokens = 1_000;
        offer.minDuration = 60;
        offer.maxOutstanding = 30 ether;
        offer.nonce = nonce;
        offer.expiry = type(uint40).max;
    }
}

/// @title Jobs until they are committed or returned
contract JobMoves is Moves {
    constructor(Book book_, Shadow shadow_) Moves(book_, shadow_) {}

    function open(uint256 who, uint256 toWhom, uint256 sizes) external told {
        _open(_requester(who), _provider(toWhom), sizes);
    }

    /// @notice Two jobs of the same provider, so that batches have more than one line.
    function openTwo(uint256 who, uint256 toWhom, uint256 sizes) external told {
        _open(_requester(who), _provider(toWhom), sizes);
        _open(_requester(who >> 8), _provider(toWhom), sizes >> 8);
    }

    function decline(uint256 which) external told {
        IEscrowJobs.Job memory job = book.pickJob(which, IEscrowJobs.JobState.OPEN);
        vm.prank(which % 2 == 0 ? job.provider : staking.nodeKeyOf(job.provider));
        escrow.declineJob(job);
    }

    function cancel(uint256 which) external told {
        IEscrowJobs.Job memory job = book.pickJob(which, IEscrowJobs.JobState.OPEN);
        vm.prank(job.requester);
        escrow.cancelJob(job);
    }

    function refund(uint256 which) external told {
        IEscrowJobs.Job memory job = book.pickJob(which, IEscrowJobs.JobState.OPEN);
        vm.prank(book.stranger());
        escrow.refundJob(job);
    }

    function revokeOffers(uint256 who) external told {
        address provider = _provider(who);
        uint48 from = escrow.providerRecord(provider).offersFrom;
        vm.prank(provider);
        escrow.revokeOffers(from + 1);
    }

    function _open(address requester, address provider, uint256 sizes) private {
        IEscrowJobs.Offer memory offer = Offers.standing(provider, escrow.providerRecord(provider).offersFrom);
        IEscrowJobs.Job memory job = IEscrowJobs.Job({
            requester: requester,
            provider: provider,
            offerDigest: escrow.offerDigest(offer),
            specDigest: bytes32(uint256(1)),
            inputTokens: uint32(1 + sizes % 1_000),
            maxOutputTokens: uint32(1 + (sizes >> 16) % 1_000),
            price: 0,
            nonce: book.nextNonce()
        });
        job.price = job.inputTokens * offer.inputPrice + job.maxOutputTokens * offer.outputPrice;
        uint32 duration = uint32(60 + (sizes >> 32) % 3_541);
        bytes memory signature = stage.signBy(staking.nodeKeyOf(provider), job.offerDigest);
        vm.prank(requester);
        bytes32 id =
            escrow.openJob(offer, signature, job.specDigest, job.inputTokens, job.maxOutputTokens, duration, job.nonce);
        book.addJob(job);
        _checkOpened(id, job, offer);
    }

    function _checkOpened(bytes32 id, IEscrowJobs.Job memory job, IEscrowJobs.Offer memory offer) private {
        shadow.note(25, id == escrow.jobIdOf(job), "the id is not the digest of the job");
        shadow.note(38, escrow.exposure() <= escrow.coverage(), "opened over the coverage");
        shadow.note(10, _deters(staking.activeStake(job.provider), job.price), "opened without a stake that deters");
        shadow.note(
            10, escrow.providerRecord(job.provider).reserved <= offer.maxOutstanding, "over the offer's ceiling"
        );
        shadow.note(10, escrow.providerRecord(job.provider).frozenBatch == 0, "opened for a frozen provider");
    }

    /// @dev R9: lambda (1 - kappa) d stake >= price (1 - d).
    function _deters(uint256 stake, uint256 price) private view returns (bool) {
        uint256 left = price * (10_000 - escrow.parameters().detectionBps);
        uint256 kept = uint256(escrow.parameters().slashBps) * (10_000 - escrow.parameters().challengerBps);
        return kept * escrow.parameters().detectionBps * stake >= left * 1e8;
    }
}
