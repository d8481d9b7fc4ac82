// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IGoverned} from "../../contracts/interfaces/IGoverned.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title Every parameter of the terms at its hard bounds, and a pound of fee that goes where it should
contract TermBoundsTest is EscrowScene {
    struct Bound {
        string name;
        uint256 least;
        uint256 most;
    }

    /// @dev In the order of the fields.
    function _bounds() private pure returns (Bound[21] memory its) {
        its[0] = Bound("openFee", 0, 1 ether);
        its[1] = Bound("feeBps", 0, 2_000);
        its[2] = Bound("slashBps", 100, 10_000);
        its[3] = Bound("challengerBps", 0, 3_000);
        its[4] = Bound("detectionBps", 100, 9_999);
        its[5] = Bound("auditBps", 100, 10_000);
        its[6] = Bound("drawDelay", 1, 128);
        its[7] = Bound("startWindow", 5, 1 days);
        its[8] = Bound("cancelDelay", 5, 1 days);
        its[9] = Bound("maxDuration", 5, 7 days);
        its[10] = Bound("openWindow", 5, 1_800);
        its[11] = Bound("lastChance", 5, 7 days);
        its[12] = Bound("maturityWindow", 5, 15 days);
        its[13] = Bound("evidenceWindow", 5, 7 days);
        its[14] = Bound("appealWindow", 5, 14 days);
        its[15] = Bound("claimDelay", 3_600 + 1_800 + 500, 60 days);
        its[16] = Bound("maxSession", 60, 90 days);
        its[17] = Bound("slashEpoch", 5, 7 days);
        its[18] = Bound("auditFee", 0, 1 ether);
        its[19] = Bound("submitFee", 0, 1 ether);
        its[20] = Bound("slashCeiling", 1, 1e9 ether);
    }

    /// R65: every parameter stays inside its hard bounds.
    function test_terms__one_beyond_a_bound__are_refused() public {
        Bound[21] memory bounds = _bounds();
        for (uint256 i; i < 21; ++i) {
            if (bounds[i].least != 0) _refuse(i, bounds[i], bounds[i].least - 1);
            _refuse(i, bounds[i], bounds[i].most + 1);
        }
    }

    function test_terms__at_a_bound__are_not_refused_for_it() public {
        Bound[21] memory bounds = _bounds();
        for (uint256 i; i < 21; ++i) {
            _take(i, bounds[i], bounds[i].least);
            _take(i, bounds[i], bounds[i].most);
        }
    }

    function test_terms__whose_way_outlasts_the_stakes__are_refused() public {
        IEscrowTerms.Parameters memory terms = stage.terms();
        uint256 room = stage.DELAY() - escrow.longestWay() - stage.court().rulingWindow();
        terms.slashEpoch += uint32(room) + 1;
        vm.prank(timelock);
        vm.expectPartialRevert(IGoverned.ParameterOutOfBounds.selector);
        escrow.setTerms(terms);
        terms.slashEpoch -= 1;
        vm.prank(timelock);
        escrow.setTerms(terms);
    }

    function test_terms__with_a_shorter_way__keep_the_longest_one() public {
        uint256 longest = escrow.longestWay();
        IEscrowTerms.Parameters memory terms = stage.terms();
        terms.appealWindow = 5;
        vm.prank(timelock);
        escrow.setTerms(terms);
        _assertEq(escrow.longestWay(), longest, "longest way");
        _assertEq(escrow.termsVersion(), 2, "version");
    }

    function test_pause__of_exactly_seven_days__is_taken() public {
        vm.prank(stage.guardian());
        escrow.pause(uint40(block.timestamp + 7 days));
        _assertEq(escrow.pausedUntil(), block.timestamp + 7 days, "paused until");
    }

    /// R4: what of the fee does not pay auditors and the submitter waits to be burned, to the wei.
    function test_fee__of_a_batch__is_shared_to_the_wei() public {
        uint64 id = _committed();
        uint256 before = escrow.feesToBurn();
        uint256 amount = book.entriesOf(id)[0].amount;
        _decide(id, IEscrowBatches.Outcome.PASS, 7);
        _assertEq(escrow.feesToBurn(), before + amount * 300 / 10_000 - 3 * 0.002 ether, "fees to burn");
    }

    /// R4: auditors are paid while the fee lasts, and nobody after that.
    function test_fee__that_does_not_reach_all__pays_the_first_ones() public {
        IEscrowTerms.Parameters memory terms = stage.terms();
        terms.auditFee = 0.01 ether;
        vm.prank(timelock);
        escrow.setTerms(terms);
        uint64 id = _committed();
        uint256 before = escrow.feesToBurn();
        uint256 fee = uint256(book.entriesOf(id)[0].amount) * 300 / 10_000;
        _decide(id, IEscrowBatches.Outcome.PASS, 15);
        uint256 paid = fee / 0.01 ether;
        _assertTrue(paid < 4, "the fee does not reach all");
        _assertEq(escrow.feesToBurn(), before + fee - paid * 0.01 ether, "fees to burn");
    }

    /// R4: without an audit fee there is nothing to share.
    function test_fee__without_an_audit_fee__is_burned() public {
        IEscrowTerms.Parameters memory terms = stage.terms();
        terms.auditFee = 0;
        vm.prank(timelock);
        escrow.setTerms(terms);
        uint64 id = _committed();
        uint256 before = escrow.feesToBurn();
        uint256 fee = uint256(book.entriesOf(id)[0].amount) * 300 / 10_000;
        _decide(id, IEscrowBatches.Outcome.PASS, 15);
        _assertEq(escrow.feesToBurn(), before + fee, "fees to burn");
    }

    function _refuse(uint256 field, Bound memory bound, uint256 value) private {
        IEscrowTerms.Parameters memory terms = _with(field, value);
        vm.prank(timelock);
        vm.expectRevert(
            abi.encodeWithSelector(IGoverned.ParameterOutOfBounds.selector, bound.name, value, bound.least, bound.most)
        );
        escrow.setTerms(terms);
    }

    /// @dev Another bound may be crossed with it, such as that of the delays of stakes.
    function _take(uint256 field, Bound memory bound, uint256 value) private {
        IEscrowTerms.Parameters memory terms = _with(field, value);
        uint256 before = vm.snapshotState();
        vm.prank(timelock);
        try escrow.setTerms(terms) {}
        catch (bytes memory reason) {
            bytes memory own = abi.encodeWithSelector(
                IGoverned.ParameterOutOfBounds.selector, bound.name, value, bound.least, bound.most
            );
            _assertTrue(keccak256(reason) != keccak256(own), bound.name);
        }
        vm.revertToState(before);
    }

    function _with(uint256 field, uint256 value) private view returns (IEscrowTerms.Parameters memory) {
        bytes memory words = abi.encode(stage.terms());
        assembly ("memory-safe") {
            mstore(add(words, mul(add(field, 1), 0x20)), value)
        }
        return abi.decode(words, (IEscrowTerms.Parameters));
    }
}
