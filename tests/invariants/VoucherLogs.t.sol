// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {Vm} from "./Base.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title What the logs say about vouchers: one event a batch when they are committed, one when they are paid
contract VoucherLogsTest is EscrowScene {
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant VOUCHER =
        keccak256("Voucher(bytes32 session,uint96 amount,uint64 units,uint32 calls,bytes32 head,bytes32 inFlight)");

    function test_commit__with_dirty_totals__is_refused_although_they_are_signed() public {
        _assertTrue(_sendRaw(1 ether, 7, 2), "clean");
        _assertTrue(!_sendRaw(2 ether | 1 << 96, 7, 2), "amount");
        _assertTrue(!_sendRaw(2 ether, 7 | 1 << 64, 2), "units");
        _assertTrue(!_sendRaw(2 ether, 7, 2 | 1 << 32), "calls");
        _assertTrue(!_sendRaw(2 ether, 7 | 1 << 255, 2 | 1 << 255), "both");
    }

    function test_batch__of_jobs_alone__says_nothing_of_vouchers() public {
        vm.recordLogs();
        uint64 id = _committed();
        _decide(id, IEscrowBatches.Outcome.PASS, 0);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        _assertEq(_count(logs, IEscrowSessions.VouchersCommitted.selector), 0, "committed");
        _assertEq(_count(logs, IEscrowSessions.VouchersSettled.selector), 0, "settled");
        _assertEq(_count(logs, IEscrowBatches.JobSettled.selector), 1, "jobs settled");
    }

    function test_batch__of_a_job_and_vouchers__tells_totals_in_order_and_what_was_paid() public {
        IEscrowBatches.Commitment[] memory lines = _line(_open());
        IEscrowSessions.Session memory first = _session(5 ether, address(0));
        IEscrowSessions.Session memory second = _session(5 ether, address(0));
        IEscrowSessions.Voucher[] memory vouchers = new IEscrowSessions.Voucher[](3);
        vouchers[0] = _signedVoucher(second, 1 ether, 300, 3);
        vouchers[1] = _signedVoucher(first, 4 ether, type(uint64).max, type(uint32).max);
        vouchers[2] = _signedVoucher(second, 3 ether, 900, 7);
        vm.recordLogs();
        vm.prank(node);
        uint64 id = escrow.commitBatch(lines, vouchers, _noClaims());
        Vm.Log[] memory logs = vm.getRecordedLogs();

        _assertEq(_count(logs, IEscrowSessions.VouchersCommitted.selector), 1, "one event");
        Vm.Log memory told = _find(logs, IEscrowSessions.VouchersCommitted.selector);
        _assertEq(told.topics[1], bytes32(uint256(id)), "batch");
        IEscrowSessions.Claim[] memory claims = abi.decode(told.data, (IEscrowSessions.Claim[]));
        _assertEq(told.data.length, 0x40 + 3 * 0x60, "no word more");
        IEscrowBatches.Entry[] memory entries = _entriesIn(logs);
        _assertEq(claims.length, 3, "claims");
        for (uint256 i; i < 3; ++i) {
            _assertEq(entries[1 + i].jobId, escrow.sessionIdOf(vouchers[i].session), "session");
            _assertEq(entries[1 + i].answerDigest, bytes32(0), "a voucher");
            _assertEq(claims[i].amount, vouchers[i].amount, "amount");
            _assertEq(claims[i].units, vouchers[i].units, "units");
            _assertEq(claims[i].calls, vouchers[i].calls, "calls");
        }
        _assertEq(entries[1].amount, 1 ether, "added first");
        _assertEq(entries[2].amount, 4 ether, "added by the other session");
        _assertEq(entries[3].amount, 2 ether, "added by the later one");

        logs = _paid(id, entries);
        _assertEq(_count(logs, IEscrowSessions.VouchersSettled.selector), 1, "one event when paid");
        told = _find(logs, IEscrowSessions.VouchersSettled.selector);
        _assertEq(told.topics[1], bytes32(uint256(id)), "batch when paid");
        _assertEq(abi.decode(told.data, (uint256)), 7 ether, "what vouchers are paid");
        _assertEq(_count(logs, IEscrowBatches.JobSettled.selector), 1, "the job's own event");
    }

    function _paid(uint64 id, IEscrowBatches.Entry[] memory entries) private returns (Vm.Log[] memory) {
        IEscrowBatches.BatchHead[] memory heads = new IEscrowBatches.BatchHead[](1);
        uint16 version = stage.committee().version();
        heads[0] = IEscrowBatches.BatchHead(
            paul,
            uint40(block.timestamp),
            uint40(block.number),
            version,
            escrow.termsVersion(),
            keccak256(abi.encode(entries))
        );
        IEscrowBatches.Decision[] memory decisions = new IEscrowBatches.Decision[](1);
        decisions[0] = IEscrowBatches.Decision(
            id, heads[0].entriesHash, IEscrowBatches.Outcome.PASS, entries[0].amount + 7 ether, 0
        );
        IEscrowBatches.Entry[][] memory lists = new IEscrowBatches.Entry[][](1);
        lists[0] = entries;
        vm.recordLogs();
        _settle(version, decisions, heads, lists);
        return vm.getRecordedLogs();
    }

    function _signedVoucher(IEscrowSessions.Session memory session, uint96 amount, uint64 units, uint32 calls)
        private
        view
        returns (IEscrowSessions.Voucher memory voucher)
    {
        (bytes32 r, bytes32 vs) = _sign(escrow.sessionIdOf(session), amount, units, calls);
        voucher = IEscrowSessions.Voucher(session, amount, units, calls, bytes32(uint256(5)), 0, r, vs);
    }

    /// @dev Commits a voucher of a new session by alice, whose words stand in calldata as they are given.
    function _sendRaw(uint256 amount, uint256 units, uint256 calls) private returns (bool done) {
        IEscrowSessions.Session memory session = _session(3 ether, address(0));
        (bytes32 r, bytes32 vs) = _sign(escrow.sessionIdOf(session), amount, units, calls);
        bytes memory head = abi.encodeWithSelector(IEscrowBatches.commitBatch.selector, 0x60, 0x80, 0x60, 0, 1);
        bytes memory body = abi.encode(session, amount, units, calls, bytes32(uint256(5)), bytes32(0), r, vs);
        vm.prank(node);
        (done,) = address(escrow).call(bytes.concat(head, body));
    }

    function _sign(bytes32 sessionId, uint256 amount, uint256 units, uint256 calls)
        private
        view
        returns (bytes32 r, bytes32 vs)
    {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN, keccak256("Malla"), keccak256("1"), block.chainid, address(escrow)));
        bytes32 voucher =
            keccak256(abi.encode(VOUCHER, sessionId, amount, units, calls, bytes32(uint256(5)), bytes32(0)));
        uint8 v;
        (v, r, vs) = vm.sign(1, keccak256(abi.encodePacked(hex"1901", domain, voucher)));
        if (v == 28) vs |= bytes32(uint256(1) << 255);
    }

    function _entriesIn(Vm.Log[] memory logs) private pure returns (IEscrowBatches.Entry[] memory entries) {
        bytes memory data = _find(logs, IEscrowBatches.BatchCommitted.selector).data;
        (,, entries) = abi.decode(data, (uint16, uint16, IEscrowBatches.Entry[]));
    }

    function _find(Vm.Log[] memory logs, bytes32 kind) private pure returns (Vm.Log memory found) {
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == kind) found = logs[i];
        }
    }

    function _count(Vm.Log[] memory logs, bytes32 kind) private pure returns (uint256 count) {
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == kind) ++count;
        }
    }
}
