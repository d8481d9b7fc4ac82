// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {Book} from "./Book.sol";
import {Moves} from "./Moves.sol";
import {Shadow} from "./Shadow.sol";

/// @title Every way out of a work batch that is not the court's
contract EndMoves is Moves {
    constructor(Book book_, Shadow shadow_) Moves(book_, shadow_) {}

    function pass(uint256 which, uint256 auditors) external told {
        uint64[] memory ids = new uint64[](1);
        ids[0] = _pending(which);
        _settle(ids, IEscrowBatches.Outcome.PASS, uint32(auditors), which >> 8);
    }

    /// @notice Two batches at once, maybe the same one: the second is then skipped.
    function passTwo(uint256 one, uint256 two, uint256 auditors) external told {
        uint64[] memory ids = new uint64[](2);
        (ids[0], ids[1]) = (_pending(one), _pending(two));
        _settle(ids, IEscrowBatches.Outcome.PASS, uint32(auditors), one >> 8);
    }

    function accuse(uint256 which, uint256 auditors) external told {
        uint64[] memory ids = new uint64[](1);
        ids[0] = _pending(which);
        IEscrowBatches.Outcome outcome =
            auditors % 2 == 0 ? IEscrowBatches.Outcome.NOT_OPENED : IEscrowBatches.Outcome.FRAUD;
        _settle(ids, outcome, uint32(auditors), which >> 8);
    }

    /// @notice One signature short of a quorum, one signature twice, or a signature that counts no more: never enough.
    function settleWithoutQuorum(uint256 which, uint256 how) external told {
        uint64[] memory ids = new uint64[](1);
        ids[0] = _pending(which);
        (IEscrowBatches.Decision[] memory decisions, IEscrowBatches.BatchHead[] memory heads,) =
            _decisions(ids, IEscrowBatches.Outcome.PASS, 0);
        IEscrowBatches.Entry[][] memory entries = new IEscrowBatches.Entry[][](1);
        entries[0] = book.entriesOf(ids[0]);
        uint16 version = heads[0].setVersion;
        uint256 needed = committee.quorum(version);
        (uint256 who, uint256 size) = book.signersOf(version);
        for (uint256 i; size >= needed; ++i) {
            if (who >> i & 1 == 0) continue;
            who ^= 1 << i;
            --size;
        }
        bytes32 digest = escrow.settlementDigest(version, decisions);
        bytes[] memory signatures = stage.sign(digest, who);
        if (how % 2 == 0) signatures = _padded(signatures, needed, digest, how);
        try escrow.settle(version, decisions, heads, entries, signatures) {
            shadow.note(33, false, "fewer than a quorum settled a batch");
        } catch {}
    }

    function postOpenings(uint256 which) external told {
        uint64 id;
        for (uint256 i; i < 24; ++i) {
            id = book.pickBatch(which % 1_000 + i, IEscrowBatches.BatchState.FROZEN);
            bool isInTime = escrow.freezeOf(id).until > block.timestamp;
            if (isInTime && escrow.batch(id).outcome == IEscrowBatches.Outcome.NOT_OPENED) break;
        }
        bytes[] memory openings = new bytes[](1);
        openings[0] = hex"01";
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        vm.prank(head.provider);
        escrow.postOpenings(id, head, openings);
    }

    function recordStored(uint256 which, uint256 place) external told {
        uint64 id = _pending(which);
        IEscrowBatches.Entry[] memory entries = book.entriesOf(id);
        uint16[] memory indexes = new uint16[](1);
        indexes[0] = uint16(place % entries.length);
        bytes[][] memory signatures = new bytes[][](1);
        (uint256 who,) = book.signersOf(book.headOf(id).setVersion);
        signatures[0] = stage.sign(escrow.storageReceiptDigest(entries[indexes[0]].answerDigest), who);
        escrow.recordStored(id, book.headOf(id), entries, indexes, signatures);
    }

    function matureByDefault(uint256 which) external told {
        uint64 id = _overdue(which);
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        IEscrowBatches.Entry[] memory entries = book.entriesOf(id);
        vm.prank(book.stranger());
        escrow.matureByDefault(id, head, entries);
    }

    function forfeitFrozen(uint256 which) external told {
        _forfeit(book.pickBatch(which, IEscrowBatches.BatchState.FROZEN));
    }

    function forfeitConvicted(uint256 which) external told {
        uint256 count = escrow.batchCount();
        for (uint256 i; i < count && i < 24; ++i) {
            uint64 id = uint64(count - (which % count + i) % count);
            if (id > escrow.providerRecord(book.headOf(id).provider).convictedThrough) continue;
            IEscrowBatches.BatchState state = escrow.batch(id).state;
            if (state != IEscrowBatches.BatchState.PENDING && state != IEscrowBatches.BatchState.FROZEN) continue;
            _forfeit(id);
            return;
        }
        revert Book.NothingToPick();
    }

    function _forfeit(uint64 id) private {
        address provider = book.headOf(id).provider;
        bool convicts = id > escrow.providerRecord(provider).convictedThrough;
        uint256 slashes = shadow.slashes(provider);
        vm.recordLogs();
        vm.prank(book.stranger());
        escrow.forfeit(id, book.headOf(id), book.entriesOf(id));
        shadow.read(vm.getRecordedLogs());
        vm.recordLogs();
        shadow.note(19, shadow.slashes(provider) == slashes + (convicts ? 1 : 0), "not exactly one slash a conviction");
    }

    function _settle(uint64[] memory ids, IEscrowBatches.Outcome outcome, uint32 auditors, uint256 how) private {
        (IEscrowBatches.Decision[] memory decisions, IEscrowBatches.BatchHead[] memory heads, uint16 version) =
            _decisions(ids, outcome, auditors);
        IEscrowBatches.Entry[][] memory entries = new IEscrowBatches.Entry[][](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            if (outcome == IEscrowBatches.Outcome.PASS) entries[i] = book.entriesOf(ids[i]);
        }
        (uint256 who, uint256 size) = book.signersOf(version);
        // One of them is away, if the others are enough.
        if (size > committee.quorum(version)) who &= ~(uint256(1) << (how % 5));
        bytes[] memory signatures = stage.sign(escrow.settlementDigest(version, decisions), who);
        address proposer = committee.proposer(version);
        vm.prank(how % 2 == 0 ? proposer : book.stranger());
        escrow.settle(version, decisions, heads, entries, signatures);
    }

    function _decisions(uint64[] memory ids, IEscrowBatches.Outcome outcome, uint32 auditors)
        private
        view
        returns (IEscrowBatches.Decision[] memory decisions, IEscrowBatches.BatchHead[] memory heads, uint16 version)
    {
        decisions = new IEscrowBatches.Decision[](ids.length);
        heads = new IEscrowBatches.BatchHead[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            heads[i] = book.headOf(ids[i]);
            uint96 amount;
            if (outcome == IEscrowBatches.Outcome.PASS) {
                IEscrowBatches.Entry[] memory entries = book.entriesOf(ids[i]);
                for (uint256 j; j < entries.length; ++j) {
                    amount += entries[j].amount;
                }
            }
            decisions[i] = IEscrowBatches.Decision(ids[i], heads[i].entriesHash, outcome, amount, auditors);
        }
        version = heads[0].setVersion;
    }

    /// @dev Fills up to a quorum with the first signature, or with one by somebody without a seat.
    function _padded(bytes[] memory signatures, uint256 needed, bytes32 digest, uint256 how)
        private
        view
        returns (bytes[] memory padded)
    {
        padded = new bytes[](needed);
        bytes memory filler = how % 4 == 0 && signatures.length != 0 ? signatures[0] : stage.signWith(1, digest);
        for (uint256 i; i < needed; ++i) {
            padded[i] = i < signatures.length ? signatures[i] : filler;
        }
    }

    /// @dev A pending batch that is old enough for the default, if there is one.
    function _overdue(uint256 which) private view returns (uint64 id) {
        for (uint256 i; i < 24; ++i) {
            id = _pending(which % 1_000 + i);
            IEscrowBatches.BatchHead memory head = book.headOf(id);
            if (head.committedAt + 2_300 > block.timestamp) continue;
            if (escrow.providerRecord(head.provider).frozenBatch != 0) continue;
            if (escrow.providerRecord(head.provider).convictedThrough < id) return id;
        }
    }

    function _pending(uint256 which) private view returns (uint64) {
        return book.pickBatch(which, IEscrowBatches.BatchState.PENDING);
    }
}
