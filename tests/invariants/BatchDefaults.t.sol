// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title How a batch ends when no quorum decides
contract BatchDefaultsTest is EscrowScene {
    function test_stored__recorded_wrongly__is_refused() public {
        uint64 id = _committed();
        IEscrowBatches.BatchHead memory head = book.headOf(id);
        IEscrowBatches.Entry[] memory entries = book.entriesOf(id);
        uint16[] memory indexes = new uint16[](1);
        bytes[][] memory signatures = new bytes[][](1);
        vm.expectPartialRevert(IEscrowBatches.LengthMismatch.selector);
        escrow.recordStored(id, head, entries, indexes, new bytes[][](0));
        indexes[0] = 1;
        vm.expectPartialRevert(IEscrowBatches.IndexOutOfRange.selector);
        escrow.recordStored(id, head, entries, indexes, signatures);
        indexes[0] = 0;
        vm.expectPartialRevert(IOracleCommittee.TooFewSignatures.selector);
        escrow.recordStored(id, head, entries, indexes, signatures);
        signatures[0] = stage.sign(escrow.storageReceiptDigest(entries[0].answerDigest), 3);
        escrow.recordStored(id, head, entries, indexes, signatures);
        escrow.recordStored(id, head, entries, indexes, signatures);
        _assertEq(escrow.storedBitmap(id), 1, "recorded");
        vm.warp(block.timestamp + 2_300);
        vm.expectPartialRevert(IEscrowBatches.TooLate.selector);
        escrow.recordStored(id, head, entries, indexes, signatures);
        escrow.matureByDefault(id, head, entries);
        _assertTrue(escrow.job(entries[0].jobId).state == IEscrowJobs.JobState.SETTLED, "delivered");
        _assertTrue(escrow.batch(id).outcome == IEscrowBatches.Outcome.DEFAULT, "by default");
    }

    function test_default__without_evidence__pays_vouchers_and_returns_jobs() public {
        uint64 id = _committed();
        uint64 voucher = _claimed(1 ether);
        vm.warp(block.timestamp + 2_300);
        uint256 free = escrow.balanceOf(alice);
        escrow.matureByDefault(id, book.headOf(id), book.entriesOf(id));
        IEscrowBatches.Entry memory entry = book.entriesOf(id)[0];
        _assertEq(escrow.balanceOf(alice), free + entry.price, "returned");
        _assertTrue(escrow.job(entry.jobId).reason == IEscrowJobs.RefundReason.NOT_DELIVERED, "reason");
        escrow.matureByDefault(voucher, book.headOf(voucher), book.entriesOf(voucher));
        _assertEq(escrow.balanceOf(paul), 0.97 ether, "a voucher is evidence itself");
    }

    function test_terms__unknown_or_out_of_bounds__are_refused() public {
        vm.expectPartialRevert(IEscrowTerms.UnknownTermsVersion.selector);
        escrow.parametersAt(0);
        vm.expectPartialRevert(IEscrowTerms.UnknownTermsVersion.selector);
        escrow.parametersAt(2);
        _assertEq(escrow.parametersAt(1).feeBps, 300, "the first version");
        vm.prank(timelock);
        escrow.setGuardian(eve);
        _assertEq(escrow.guardian(), eve, "guardian");
    }
}
