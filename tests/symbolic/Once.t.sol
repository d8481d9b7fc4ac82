// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {MallaToken} from "../../contracts/MallaToken.sol";

/// @notice The two cheat codes that these proofs need.
interface Sign {
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
}

/// @title What works once: permits, and a voucher's running total
contract OnceProofs {
    Sign private constant VM = Sign(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    MallaToken private _token;
    address private _owner;

    function setUp() public {
        _owner = VM.addr(7);
        IMallaToken.Allocation[] memory genesis = new IMallaToken.Allocation[](1);
        genesis[0] = IMallaToken.Allocation(_owner, 1 ether);
        _token = new MallaToken(genesis, address(1));
    }

    /// @notice A permit raises the nonce by one, whatever it allows, and what it signed is not what the next one signs:
    /// the same signature is for nothing any more.
    function check_permit__raises_the_nonce_by_one_and_works_once(address spender, uint256 value) public {
        if (spender == address(0)) return;
        uint256 nonce = _token.nonces(_owner);
        bytes32 digest = _digest(spender, value, nonce);
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(7, digest);
        _token.permit(_owner, spender, value, type(uint256).max, v, r, s);
        assert(_token.nonces(_owner) == nonce + 1 && _token.allowance(_owner, spender) == value);
        assert(_digest(spender, value, _token.nonces(_owner)) != digest);
    }

    /// @notice R39: two vouchers of one session, in either order, never add up to more than the larger of them.
    function check_vouchers__in_any_order__pay_the_largest_total(uint96 cap, uint96 one, uint96 two) public pure {
        uint96 committed;
        uint256 paid;
        (committed, paid) = _claimed(committed, paid, one, cap);
        (committed, paid) = _claimed(committed, paid, two, cap);
        (committed, paid) = _claimed(committed, paid, one, cap);
        assert(paid == committed && committed <= cap);
        assert(paid <= one || paid <= two);
    }

    /// @notice R123: claims on one voucher that names calls in flight never add up to more than the larger of them, nor
    /// to more than was signed.
    function check_claims__in_any_order__pay_no_more_than_was_signed(uint96 cap, uint96 signed, uint96 one, uint96 two)
        public
        pure
    {
        uint96 committed;
        uint256 paid;
        if (one <= signed && signed <= cap) (committed, paid) = _claimed(committed, paid, one, cap);
        if (two <= signed && signed <= cap) (committed, paid) = _claimed(committed, paid, two, cap);
        if (one <= signed && signed <= cap) (committed, paid) = _claimed(committed, paid, one, cap);
        assert(paid == committed && paid <= signed && paid <= cap);
        assert(paid <= one || paid <= two);
    }

    /// @dev `Vouchers._claim`, but for its signature: refused unless it adds something within the cap.
    function _claimed(uint96 committed, uint256 paid, uint96 amount, uint96 cap)
        private
        pure
        returns (uint96, uint256)
    {
        if (amount <= committed || amount > cap) return (committed, paid);
        return (amount, paid + (amount - committed));
    }

    function _digest(address spender, uint256 value, uint256 nonce) private view returns (bytes32) {
        bytes32 struct_ = keccak256(abi.encode(PERMIT_TYPEHASH, _owner, spender, value, nonce, type(uint256).max));
        return keccak256(abi.encodePacked(hex"1901", _token.DOMAIN_SEPARATOR(), struct_));
    }
}
