// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {Vm} from "./Base.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title What the chain says of a batch: the entries that it keeps as a digest only, and what became of each
contract BatchEventsTest is EscrowScene {
    IEscrowBatches.Outcome private constant PASS = IEscrowBatches.Outcome.PASS;

    /// R14: the entries are told once, with what they hash to.
    function test_commit__of_a_job__tells_its_entries() public {
        vm.recordLogs();
        uint64 id = _committed();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        _assertEq(_count(logs, IEscrowBatches.BatchCommitted.selector), 1, "told once");
        _assertEq(_count(logs, IEscrowSessions.VouchersCommitted.selector), 0, "no voucher");
        Vm.Log memory log = _last(logs, IEscrowBatches.BatchCommitted.selector);
        _assertEq(uint256(log.topics[1]), id, "batch");
        _assertTrue(_holds(log.data, abi.encode(book.entriesOf(id)[0])), "its entry");
    }

    /// R40: what a voucher claims is told beside its entry.
    function test_commit__of_a_voucher__tells_its_totals() public {
        vm.recordLogs();
        uint64 id = _claimed(1 ether);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory log = _last(logs, IEscrowSessions.VouchersCommitted.selector);
        _assertEq(uint256(log.topics[1]), id, "batch");
        IEscrowSessions.Claim[] memory claims = abi.decode(log.data, (IEscrowSessions.Claim[]));
        _assertEq(claims.length, 1, "one voucher");
        _assertEq(claims[0].amount, 1 ether, "amount");
        _assertEq(claims[0].units, 1, "units");
        _assertEq(claims[0].calls, 1, "calls");
        log = _last(logs, IEscrowBatches.BatchCommitted.selector);
        _assertTrue(_holds(log.data, abi.encode(book.entriesOf(id)[0])), "its entry");
    }

    /// R1, R43: jobs are told one by one, vouchers by their sum.
    function test_pass__of_a_job_or_a_voucher__tells_what_is_paid() public {
        uint64 id = _committed();
        uint64 voucher = _claimed(1 ether);
        vm.recordLogs();
        _decide(id, PASS, 0);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        IEscrowBatches.Entry memory entry = book.entriesOf(id)[0];
        Vm.Log memory log = _last(logs, IEscrowBatches.JobSettled.selector);
        _assertEq(log.topics[1], entry.jobId, "job");
        _assertEq(keccak256(log.data), keccak256(abi.encode(entry.amount, entry.price - entry.amount)), "both parts");
        _assertEq(_count(logs, IEscrowSessions.VouchersSettled.selector), 0, "no voucher");
        _matured(logs, IEscrowBatches.Outcome.PASS);
        vm.recordLogs();
        _decide(voucher, PASS, 0);
        logs = vm.getRecordedLogs();
        log = _last(logs, IEscrowSessions.VouchersSettled.selector);
        _assertEq(uint256(log.topics[1]), voucher, "batch of the voucher");
        _assertEq(abi.decode(log.data, (uint256)), 1 ether, "paid");
        _assertEq(_count(logs, IEscrowBatches.JobSettled.selector), 0, "no job");
    }

    function test_default__of_a_job_or_a_voucher__tells_it_as_that() public {
        uint64 id = _committed();
        uint64 voucher = _claimed(1 ether);
        vm.warp(block.timestamp + 2_300);
        vm.recordLogs();
        escrow.matureByDefault(voucher, book.headOf(voucher), book.entriesOf(voucher));
        escrow.matureByDefault(id, book.headOf(id), book.entriesOf(id));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        _matured(logs, IEscrowBatches.Outcome.DEFAULT);
        _assertEq(_count(logs, IEscrowSessions.VouchersSettled.selector), 1, "a voucher is evidence itself");
        _assertEq(_count(logs, IEscrowJobs.JobRefunded.selector), 1, "the job returns");
        _assertEq(_count(logs, IEscrowSessions.VoucherRefunded.selector), 0, "no voucher returns");
    }

    function test_forfeit__of_a_voucher__tells_that_it_returns() public {
        uint64 id = _claimed(1 ether);
        _assertEq(escrow.freezeOf(id).until, 0, "not frozen");
        _decide(id, IEscrowBatches.Outcome.FRAUD, 0);
        _assertEq(escrow.freezeOf(id).until, block.timestamp + stage.terms().appealWindow, "frozen");
        _assertEq(escrow.freezeOf(id).openedAt, 0, "nothing was opened");
        vm.warp(block.timestamp + 900);
        vm.recordLogs();
        escrow.forfeit(id, book.headOf(id), book.entriesOf(id));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        _assertEq(_count(logs, IEscrowSessions.VoucherRefunded.selector), 1, "the voucher returns");
        _assertEq(_count(logs, IEscrowJobs.JobRefunded.selector), 0, "there was no job");
    }

    /// R59: nobody is told to be paid a fee that the terms do not have.
    function test_pass__without_a_submit_fee__pays_no_submitter() public {
        IEscrowTerms.Parameters memory terms = stage.terms();
        terms.submitFee = 0;
        vm.prank(timelock);
        escrow.setTerms(terms);
        uint64 id = _committed();
        vm.recordLogs();
        _submit(id);
        _assertEq(_count(vm.getRecordedLogs(), IEscrowBatches.SubmitFeePaid.selector), 0, "no fee");
    }

    /// R4, R59: the submitter whose turn it is takes its fee when exactly that is left of the batch's.
    function test_pass__whose_fee_is_the_submitters__leaves_nothing_to_burn() public {
        IEscrowTerms.Parameters memory terms = stage.terms();
        uint256 fee = uint256(_job(_offer()).price / 2) * terms.feeBps / 10_000;
        terms.submitFee = uint96(fee);
        vm.prank(timelock);
        escrow.setTerms(terms);
        uint64 id = _committed();
        uint256 fees = escrow.feesToBurn();
        vm.recordLogs();
        address submitter = _submit(id);
        _assertEq(_count(vm.getRecordedLogs(), IEscrowBatches.SubmitFeePaid.selector), 1, "told");
        _assertEq(escrow.balanceOf(submitter), fee, "all of it");
        _assertEq(escrow.feesToBurn(), fees, "nothing is left to burn");
        _assertEq(stage.rewards().burnedIn(stage.rewards().epoch()), 0, "nor to reward");
    }

    /// R1: payment, refund and fee add up, and what is burned is what rewards count.
    function test_pass__of_a_job__moves_every_wei_of_its_price() public {
        uint256 free = escrow.balanceOf(alice);
        uint64 id = _committed();
        IEscrowBatches.Entry memory entry = book.entriesOf(id)[0];
        _decide(id, PASS, 0);
        uint256 fee = uint256(entry.amount) * 300 / 10_000;
        _assertEq(escrow.balanceOf(alice), free - entry.amount - 0.01 ether, "what was not used returns");
        _assertEq(escrow.balanceOf(paul), entry.amount - fee, "paid");
        _assertEq(escrow.feesToBurn(), 0.01 ether + fee, "fees");
        _assertEq(escrow.exposure(), 0, "nothing is exposed");
        _assertEq(stage.rewards().burnedIn(stage.rewards().epoch()), fee, "counted for rewards");
    }

    /// @dev Settles a batch as the oracle whose turn it is.
    function _submit(uint64 id) private returns (address submitter) {
        (
            IEscrowBatches.Decision[] memory decisions,
            IEscrowBatches.BatchHead[] memory heads,
            IEscrowBatches.Entry[][] memory entries
        ) = _decision(id, PASS, 0);
        bytes[] memory signatures = stage.sign(escrow.settlementDigest(heads[0].setVersion, decisions), 7);
        submitter = stage.committee().proposer(heads[0].setVersion);
        vm.prank(submitter);
        escrow.settle(heads[0].setVersion, decisions, heads, entries, signatures);
    }

    function _matured(Vm.Log[] memory logs, IEscrowBatches.Outcome expected) private pure {
        Vm.Log memory log = _last(logs, IEscrowBatches.BatchMatured.selector);
        (uint8 outcome,,) = abi.decode(log.data, (uint8, uint256, uint256));
        _assertEq(outcome, uint8(expected), "outcome");
    }

    function _count(Vm.Log[] memory logs, bytes32 topic) private pure returns (uint256 count) {
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == topic) ++count;
        }
    }

    function _last(Vm.Log[] memory logs, bytes32 topic) private pure returns (Vm.Log memory) {
        for (uint256 i = logs.length; i != 0; --i) {
            if (logs[i - 1].topics[0] == topic) return logs[i - 1];
        }
        revert NotTrue("no such event");
    }

    /// @dev Whether `part` ends `data`.
    function _holds(bytes memory data, bytes memory part) private pure returns (bool) {
        bytes memory end = new bytes(part.length);
        for (uint256 i; i < part.length; ++i) {
            end[i] = data[data.length - part.length + i];
        }
        return keccak256(end) == keccak256(part);
    }
}
