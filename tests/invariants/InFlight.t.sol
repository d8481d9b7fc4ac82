// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowSessions} from "../../contracts/interfaces/escrow/IEscrowSessions.sol";
import {Vm} from "./Base.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title Claims on vouchers that name calls in flight: what is refused, what is paid, what the logs say
contract InFlightTest is EscrowScene {
    bytes32 private constant CALLS = keccak256("calls in flight");

    /// R123: what is signed in advance is not paid as it stands.
    function test_voucher_in_flight__without_a_claim__is_refused() public {
        IEscrowSessions.Voucher[] memory list = _advance(_session(2 ether, address(0)), 1 ether);
        _refuse(list, _noClaims(), IEscrowSessions.ClaimMissing.selector);
        IEscrowSessions.InFlightClaim[] memory claims = _one(0, 1 ether, 0);
        claims[0].voucher = 1;
        _refuse(list, claims, IEscrowSessions.ClaimMissing.selector);
    }

    /// R40: neither above what is signed, nor of a voucher above the cap.
    function test_claim__above_the_voucher_or_the_cap__is_refused() public {
        IEscrowSessions.Session memory session = _session(2 ether, address(0));
        _refuse(_advance(session, 1 ether), _one(0, 1 ether + 1, 1), IEscrowSessions.ClaimOverVoucher.selector);
        _refuse(_advance(session, 2 ether + 1), _one(0, 1, 1), IEscrowSessions.VoucherOverCap.selector);
        _send(_advance(session, 2 ether), _one(0, 2 ether, 1));
        _assertEq(_committedOf(session), 2 ether, "all that is signed");
    }

    /// R123: links need names.
    function test_links__of_a_voucher_that_names_no_calls__are_refused() public {
        IEscrowSessions.Session memory session = _session(2 ether, address(0));
        _refuse(_voucher(session, 1 ether, 1), _one(0, 1 ether, 1), IEscrowSessions.NothingInFlight.selector);
        _send(_voucher(session, 1 ether, 1), _one(0, 0.5 ether, 0));
        _assertEq(_committedOf(session), 0.5 ether, "less than it allows");
    }

    /// R41: the same claim pays once, and one of nothing never.
    function test_claim__of_nothing_or_again__is_refused() public {
        IEscrowSessions.Session memory session = _session(2 ether, address(0));
        IEscrowSessions.Voucher[] memory list = _advance(session, 1 ether);
        _refuse(list, _one(0, 0, 1), IEscrowSessions.VoucherAddsNothing.selector);
        _send(list, _one(0, 0.4 ether, 1));
        _refuse(list, _one(0, 0.4 ether, 1), IEscrowSessions.VoucherAddsNothing.selector);
        _refuse(list, _one(0, 0.4 ether, 2), IEscrowSessions.VoucherAddsNothing.selector);
        _send(list, _one(0, 0.4 ether + 1, 1));
        _assertEq(escrow.exposure(), 0.4 ether + 1, "each adds its part");
    }

    /// R123: claims stand in the order of the vouchers, at most one for each.
    function test_claims__out_of_order_twice_or_beyond__are_refused() public {
        IEscrowSessions.Session memory session = _session(2 ether, address(0));
        IEscrowSessions.Session memory other = _session(2 ether, address(0));
        IEscrowSessions.Voucher[] memory list = new IEscrowSessions.Voucher[](2);
        (list[0], list[1]) = (_advance(session, 0.5 ether)[0], _voucher(other, 1 ether, 1)[0]);
        _refuse(list, _two(1, 0), IEscrowSessions.ClaimMissing.selector);
        list[0] = _voucher(session, 0.5 ether, 1)[0];
        _refuse(list, _two(1, 0), IEscrowSessions.ClaimMisplaced.selector);
        _refuse(list, _two(0, 0), IEscrowSessions.ClaimMisplaced.selector);
        _refuse(list, _two(1, 2), IEscrowSessions.ClaimMisplaced.selector);
        _refuse(list, _one(2, 1 ether, 0), IEscrowSessions.ClaimMisplaced.selector);
        IEscrowBatches.Commitment[] memory lines = _line(_open());
        _refused(node, IEscrowSessions.ClaimMisplaced.selector);
        escrow.commitBatch(lines, _noVouchers(), _one(0, 1, 0));
        _send(list, _two(0, 1));
        _assertEq(_committedOf(session), 0.2 ether, "the first");
        _assertEq(_committedOf(other), 0.4 ether, "the second");
    }

    /// R123: without links the head is the voucher's; the entry pays what is claimed.
    function test_claim__without_links__keeps_the_head() public {
        IEscrowSessions.Session memory session = _session(2 ether, address(0));
        IEscrowSessions.Voucher[] memory list = _advance(session, 1 ether);
        (IEscrowBatches.Entry memory entry, IEscrowSessions.Claim memory totals) = _told(list, _one(0, 0.4 ether, 0));
        _assertEq(entry.leaf, list[0].head, "head");
        _assertEq(entry.amount, 0.4 ether, "amount");
        _assertEq(entry.price, 0.4 ether, "price");
        _assertTrue(totals.amount == 0.4 ether && totals.units == 31 && totals.calls == 1, "totals");
    }

    /// R123: the head chains the names, then each link; units and calls are added.
    function test_claim__with_links__chains_them_into_the_head() public {
        IEscrowSessions.Session memory session = _session(2 ether, address(0));
        IEscrowSessions.Voucher[] memory list = _advance(session, 1 ether);
        IEscrowSessions.InFlightClaim[] memory claims = _one(0, 0.9 ether, 2);
        (IEscrowBatches.Entry memory entry, IEscrowSessions.Claim memory totals) = _told(list, claims);
        bytes32 head = keccak256(bytes.concat(list[0].head, CALLS));
        head = keccak256(bytes.concat(head, claims[0].links[0]));
        head = keccak256(bytes.concat(head, claims[0].links[1]));
        _assertEq(entry.leaf, head, "head");
        _assertEq(entry.amount, 0.9 ether, "amount");
        _assertTrue(totals.amount == 0.9 ether && totals.units == 31 && totals.calls == 3, "totals");
    }

    /// R40: words that no type holds are refused, whoever signed.
    function test_claim__with_dirty_words__is_refused() public {
        IEscrowSessions.Session memory session = _session(2 ether, address(0));
        IEscrowSessions.Voucher[] memory list = _advance(session, 1 ether);
        for (uint256 word; word < 3; ++word) {
            bytes memory data = abi.encodeCall(escrow.commitBatch, (_noLines(), list, _one(0, 1 ether, 0)));
            // The claim is last: four words, then the length of its links.
            uint256 place = data.length - (5 - word) * 32;
            data[place] = 0x80;
            vm.prank(node);
            (bool done,) = address(escrow).call(data);
            _assertTrue(!done, "dirty");
        }
    }

    function _advance(IEscrowSessions.Session memory session, uint96 amount)
        private
        view
        returns (IEscrowSessions.Voucher[] memory)
    {
        return _voucherOf(session, amount, 1, CALLS);
    }

    function _one(uint16 voucher, uint96 amount, uint256 links)
        private
        pure
        returns (IEscrowSessions.InFlightClaim[] memory claims)
    {
        claims = new IEscrowSessions.InFlightClaim[](1);
        claims[0] = IEscrowSessions.InFlightClaim(voucher, amount, 30, new bytes32[](links));
        for (uint256 i; i < links; ++i) {
            claims[0].links[i] = keccak256(abi.encode(i));
        }
    }

    /// @dev Of 0.2 and of 0.4 ether.
    function _two(uint16 first, uint16 second) private pure returns (IEscrowSessions.InFlightClaim[] memory claims) {
        claims = new IEscrowSessions.InFlightClaim[](2);
        (claims[0], claims[1]) = (_one(first, 0.2 ether, 0)[0], _one(second, 0.4 ether, 0)[0]);
    }

    function _send(IEscrowSessions.Voucher[] memory list, IEscrowSessions.InFlightClaim[] memory claims) private {
        vm.prank(node);
        escrow.commitBatch(_noLines(), list, claims);
    }

    function _refuse(
        IEscrowSessions.Voucher[] memory list,
        IEscrowSessions.InFlightClaim[] memory claims,
        bytes4 reason
    ) private {
        _refused(node, reason);
        escrow.commitBatch(_noLines(), list, claims);
    }

    function _committedOf(IEscrowSessions.Session memory session) private view returns (uint96) {
        return escrow.session(escrow.sessionIdOf(session)).committed;
    }

    function _told(IEscrowSessions.Voucher[] memory list, IEscrowSessions.InFlightClaim[] memory claims)
        private
        returns (IEscrowBatches.Entry memory entry, IEscrowSessions.Claim memory totals)
    {
        vm.recordLogs();
        _send(list, claims);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == IEscrowSessions.VouchersCommitted.selector) {
                totals = abi.decode(logs[i].data, (IEscrowSessions.Claim[]))[0];
            }
            if (logs[i].topics[0] == IEscrowBatches.BatchCommitted.selector) {
                (,, IEscrowBatches.Entry[] memory entries) =
                    abi.decode(logs[i].data, (uint16, uint16, IEscrowBatches.Entry[]));
                entry = entries[0];
            }
        }
    }
}
