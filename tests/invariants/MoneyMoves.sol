// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {Book} from "./Book.sol";
import {Moves} from "./Moves.sol";
import {Shadow} from "./Shadow.sol";

/// @title Time, tokens and prefunded balances
contract MoneyMoves is Moves {
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    /// @notice Permits used, by owner: the token's nonces must be the same.
    mapping(address owner => uint256) public permits;

    constructor(Book book_, Shadow shadow_) Moves(book_, shadow_) {}

    function passSeconds(uint256 by) external {
        vm.warp(block.timestamp + _bound(by, 1, 90));
        vm.roll(block.number + 1);
    }

    function passMinutes(uint256 by) external {
        vm.warp(block.timestamp + _bound(by, 60, 1_500));
        vm.roll(block.number + 5);
    }

    /// @notice Seldom: most things are over after it.
    function passHours(uint256 by) external {
        if (by % 2 != 0) revert Book.NothingToPick();
        vm.warp(block.timestamp + _bound(by, 1_500, 15_000));
        vm.roll(block.number + 50);
    }

    function deposit(uint256 who, uint256 amount) external told {
        vm.prank(_requester(who));
        escrow.deposit(_bound(amount, 1, 200 ether));
    }

    function depositByPermit(uint256 who, uint256 amount) external told {
        address owner = book.people(who % 6);
        amount = _bound(amount, 1, 50 ether);
        (uint8 v, bytes32 r, bytes32 s) = _permit(owner, address(escrow), amount);
        uint256 before = escrow.balanceOf(owner);
        vm.prank(owner);
        escrow.depositWithPermit(amount, block.timestamp, v, r, s);
        ++permits[owner];
        shadow.note(4, escrow.balanceOf(owner) == before + amount, "a permit deposited something else");
        // The same permit again must fail at the token, whoever sends it.
        try token.permit(owner, address(escrow), amount, block.timestamp, v, r, s) {
            shadow.note(4, false, "a permit worked twice");
        } catch {}
        vm.prank(owner);
        token.approve(address(escrow), type(uint256).max);
    }

    function withdraw(uint256 who, uint256 amount) external told {
        address account = _person(who);
        uint256 free = escrow.balanceOf(account);
        uint256 wallet = token.balanceOf(account);
        amount = _bound(amount, 1, free / 4 + 1);
        vm.prank(account);
        escrow.withdraw(amount);
        shadow.note(43, token.balanceOf(account) == wallet + amount, "a withdrawal paid something else");
    }

    function burnFees() external told {
        uint256 fees = escrow.feesToBurn();
        uint256 supply = token.totalSupply();
        vm.prank(book.stranger());
        escrow.burnFees();
        shadow.note(17, token.totalSupply() + fees == supply, "burned something else than the fees");
    }

    function transfer(uint256 from, uint256 to, uint256 amount) external told {
        (address sender, address receiver) = (_person(from), _person(to));
        amount = _bound(amount, 0, token.balanceOf(sender) / 50);
        vm.prank(sender);
        token.transfer(receiver, amount);
    }

    /// @notice Tokens thrown at a contract must disturb none of its books.
    function donate(uint256 who, uint256 where, uint256 amount) external told {
        address[4] memory targets = [address(escrow), address(staking), address(committee), address(court)];
        address target = targets[where % 4];
        amount = _bound(amount, 1, 1 ether);
        vm.prank(_person(who));
        token.transfer(target, amount);
        shadow.donate(target, amount);
    }

    function burnOwn(uint256 who, uint256 amount) external told {
        vm.prank(_person(who));
        token.burn(_bound(amount, 1, 1 ether));
    }

    function _permit(address owner, address spender, uint256 amount) private returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 struct_ =
            keccak256(abi.encode(PERMIT_TYPEHASH, owner, spender, amount, token.nonces(owner), block.timestamp));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), struct_));
        (v, r, s) = vm.sign(stage.keyOf(owner), digest);
    }
}
