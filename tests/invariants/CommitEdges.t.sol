// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowJobs} from "../../contracts/interfaces/escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title What a commitment may just about hold, and what it moves
contract CommitEdgesTest is EscrowScene {
    /// R13: a batch holds 128 lines, also of one session.
    function test_commit__of_a_full_batch__is_taken() public {
        IEscrowSessions.Session memory session = _session(1 ether, address(0));
        IEscrowSessions.Voucher[] memory list = new IEscrowSessions.Voucher[](128);
        for (uint96 i; i < 128; ++i) {
            list[i] = _voucher(session, (i + 1) * 0.001 ether, 1)[0];
        }
        vm.prank(node);
        escrow.commitBatch(_noLines(), list, _noClaims());
        _assertEq(escrow.session(escrow.sessionIdOf(session)).committed, 0.128 ether, "the last one's");
        _assertEq(escrow.exposure(), 0.128 ether, "each adds its part");
    }

    /// R8: the reserve counts open jobs, and no voucher.
    function test_commit__of_a_job__frees_its_reserve() public {
        IEscrowJobs.Job memory job = _open();
        _assertEq(escrow.providerRecord(paul).reserved, job.price, "while it is open");
        _claimed(1 ether);
        _assertEq(escrow.providerRecord(paul).reserved, job.price, "a voucher frees nothing");
        _committed();
        _assertEq(escrow.providerRecord(paul).reserved, job.price, "its own only");
        IEscrowBatches.Commitment[] memory lines = _line(job);
        vm.prank(node);
        escrow.commitBatch(lines, _noVouchers(), _noClaims());
        _assertEq(escrow.providerRecord(paul).reserved, 0, "nothing is open");
    }

    function test_commit__of_the_whole_price__is_taken() public {
        IEscrowJobs.Job memory job = _open();
        IEscrowBatches.Commitment[] memory lines = _line(job);
        lines[0].amount = job.price;
        vm.prank(node);
        escrow.commitBatch(lines, _noVouchers(), _noClaims());
        _assertTrue(escrow.job(escrow.jobIdOf(job)).state == IEscrowJobs.JobState.COMMITTED, "committed");
    }

    /// R49: vouchers may expose all that is covered, to the wei.
    function test_commit__of_all_that_is_covered__is_taken() public {
        uint96 room = uint96(escrow.coverage());
        IEscrowSessions.Session memory session = _session(room + 1, address(0));
        IEscrowSessions.Voucher[] memory list = _voucher(session, room + 1, 1);
        _refused(node, IEscrowTerms.ValueAtRisk.selector);
        escrow.commitBatch(_noLines(), list, _noClaims());
        list = _voucher(session, room, 1);
        vm.prank(node);
        escrow.commitBatch(_noLines(), list, _noClaims());
        _assertEq(escrow.exposure(), room, "all of it");
    }
}
