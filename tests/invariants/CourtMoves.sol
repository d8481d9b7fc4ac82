// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {Book} from "./Book.sol";
import {Moves} from "./Moves.sol";
import {Shadow} from "./Shadow.sol";

/// @title Appeals, disputes and what rulings lead to
contract CourtMoves is Moves {
    constructor(Book book_, Shadow shadow_) Moves(book_, shadow_) {}

    function appeal(uint256 which) external told {
        uint64 id = book.pickBatch(which, IEscrowBatches.BatchState.FROZEN);
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        IEscrowBatches.Entry[] memory entries = book.entriesOf(id);
        vm.prank(head.provider);
        _checkOpened(court.appeal(id, head, entries));
    }

    function disputePending(uint256 which, uint256 place) external told {
        uint64 id = _dispute(book.pickBatch(which, IEscrowBatches.BatchState.PENDING), place);
        // A committee that is quick: what it rules waits for the end of the batch, or convicts before it.
        if (place % 4 == 0) return;
        _rule(id, court.caseOf(id), place % 4 == 1 ? IDisputeCourt.Ruling.CONVICTED : IDisputeCourt.Ruling.UPHELD);
    }

    function disputeMatured(uint256 which, uint256 place) external told {
        _dispute(book.pickBatch(which, IEscrowBatches.BatchState.MATURED), place);
    }

    function rule(uint256 which, uint256 how) external told {
        uint64 id = book.pickCase(which, IDisputeCourt.Ruling.NONE);
        IDisputeCourt.Case memory its = court.caseOf(id);
        // An appeal is upheld or rejected; a dispute is upheld, or convicts, twice as often as it is rejected.
        uint256 kind = its.kind == IDisputeCourt.Kind.APPEAL ? 1 + how % 2 : 1 + how % 5 % 3;
        IDisputeCourt.Ruling ruling = IDisputeCourt.Ruling(kind);
        _rule(id, its, ruling);
    }

    function ruleWithoutQuorum(uint256 which) external told {
        uint64 id = book.pickCase(which, IDisputeCourt.Ruling.NONE);
        IDisputeCourt.Case memory its = court.caseOf(id);
        bytes32 digest = court.rulingDigest(id, IDisputeCourt.Ruling.UPHELD);
        (uint256 who, uint256 size) = book.signersOf(its.setVersion);
        uint256 needed = committee.quorum(its.setVersion);
        for (uint256 i; size >= needed; ++i) {
            if (who >> i & 1 == 0) continue;
            who ^= 1 << i;
            --size;
        }
        bytes[] memory signatures = stage.sign(digest, who);
        IEscrowBatches.Entry[] memory entries = book.entriesOf(its.batchId);
        try court.rule(id, IDisputeCourt.Ruling.UPHELD, book.headOf(its.batchId), entries, signatures) {
            shadow.note(33, false, "fewer than a quorum ruled a case");
        } catch {}
    }

    function closeByDefault(uint256 which) external told {
        uint64 id = book.pickCase(which, IDisputeCourt.Ruling.NONE);
        vm.prank(book.stranger());
        court.closeByDefault(id);
    }

    function compensate(uint256 which) external told {
        uint64 id = _won(which, true);
        vm.prank(book.stranger());
        court.compensate(id);
        shadow.note(20, court.caseOf(id).isCompensated, "a compensation can be had again");
    }

    function convict(uint256 which) external told {
        uint64 id = _won(which, false);
        if (id == 0) {
            id = book.pickCase(which, IDisputeCourt.Ruling.NONE);
            _rule(id, court.caseOf(id), IDisputeCourt.Ruling.CONVICTED);
        }
        IDisputeCourt.Case memory its = court.caseOf(id);
        uint256 award = staking.awardOf(its.plaintiff);
        bool isCompensated = its.isCompensated;
        vm.prank(book.stranger());
        court.convict(id, book.headOf(its.batchId));
        uint256 share = staking.awardOf(its.plaintiff) - award;
        if (isCompensated) shadow.note(41, share <= its.maxShare, "a challenger got more than its bond allows");
    }

    function _dispute(uint64 id, uint256 place) private returns (uint64 caseId) {
        IEscrowBatches.Entry[] memory entries = book.entriesOf(id);
        uint16 index = uint16(place % entries.length);
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        vm.prank(entries[index].requester);
        caseId = court.dispute(id, head, entries, index);
        _checkOpened(caseId);
    }

    function _rule(uint64 id, IDisputeCourt.Case memory its, IDisputeCourt.Ruling ruling) private {
        (uint256 who,) = book.signersOf(its.setVersion);
        bytes[] memory signatures = stage.sign(court.rulingDigest(id, ruling), who);
        uint256 wallet = token.balanceOf(its.plaintiff);
        vm.prank(book.stranger());
        court.rule(id, ruling, book.headOf(its.batchId), book.entriesOf(its.batchId), signatures);
        uint256 back = token.balanceOf(its.plaintiff) - wallet;
        bool isOwn = its.plaintiff == its.provider;
        uint256 due = ruling != IDisputeCourt.Ruling.REJECTED ? its.bond : 0;
        // A provider that disputes its own work as its own requester pays itself.
        if (isOwn && its.kind == IDisputeCourt.Kind.DISPUTE && due == 0) due = its.bond / 2;
        shadow.note(41, back == due, "the loser kept its bond, or the winner did not");
    }

    /// @dev A dispute that its requester won: one that waits for its money, or one that convicts.
    function _won(uint256 which, bool waits) private view returns (uint64) {
        uint256 count = court.caseCount();
        for (uint256 i; i < count && i < 24; ++i) {
            uint64 id = uint64(count - (which % count + i) % count);
            IDisputeCourt.Case memory its = court.caseOf(id);
            bool isUpheld = its.ruling == IDisputeCourt.Ruling.UPHELD || its.ruling == IDisputeCourt.Ruling.CONVICTED;
            if (its.kind != IDisputeCourt.Kind.DISPUTE || !isUpheld) continue;
            if (escrow.providerRecord(its.provider).frozenBatch != 0) continue;
            if (waits) {
                if (its.isCompensated) continue;
                if (escrow.batch(its.batchId).state == IEscrowBatches.BatchState.MATURED) return id;
            } else if (its.ruling == IDisputeCourt.Ruling.CONVICTED) {
                if (escrow.providerRecord(its.provider).convictedThrough < its.batchId) return id;
            }
        }
        if (waits) revert Book.NothingToPick();
        return 0;
    }

    function _checkOpened(uint64 id) private {
        IDisputeCourt.Case memory its = court.caseOf(id);
        shadow.note(40, its.deadline == block.timestamp + court.rulingWindow(), "a case without its deadline");
        shadow.note(34, its.ruling == IDisputeCourt.Ruling.NONE, "a case begins ruled");
    }
}
