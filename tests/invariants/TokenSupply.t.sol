// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {MallaToken} from "../../contracts/MallaToken.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {Base} from "./Base.sol";

/// @title Who makes and destroys tokens
/// @dev R63.
contract TokenSupplyTest is Base {
    address private constant STRANGER = address(0xBEEF);
    uint256 private constant CAP = 1e9 ether;

    MallaToken private _token;

    function setUp() external {
        _token = new MallaToken(_genesis(address(this), CAP - 10), address(this));
    }

    function test_deploy__without_a_supply__is_refused() external {
        vm.expectRevert(IMallaToken.EmptyGenesis.selector);
        new MallaToken(new IMallaToken.Allocation[](0), address(this));
        vm.expectRevert(abi.encodeWithSelector(IMallaToken.ZeroAllocation.selector, STRANGER));
        new MallaToken(_genesis(STRANGER, 0), address(this));
    }

    function test_mint__by_a_stranger_or_over_the_cap__is_refused() external {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IMallaToken.OnlyMinter.selector, STRANGER));
        _token.mint(STRANGER, 1);
        vm.expectRevert(abi.encodeWithSignature("ERC20ExceededCap(uint256,uint256)", CAP + 1, CAP));
        _token.mint(STRANGER, 11);
    }

    function test_supply__after_mints_and_burns__is_what_they_say() external {
        _token.mint(STRANGER, 10);
        _assertEq(_token.totalSupply(), _token.cap(), "up to the cap");
        _token.burn(7);
        vm.prank(STRANGER);
        _token.approve(address(this), 3);
        _token.burnFrom(STRANGER, 3);
        _assertEq(_token.totalSupply(), CAP - 10, "burned");
        _assertEq(_token.genesisSupply(), CAP - 10, "the genesis stays");
        _assertEq(_token.minter(), address(this), "minter");
    }

    function test_votes__of_a_delegate__are_counted_by_time() external {
        vm.warp(1_000);
        _token.delegate(address(this));
        vm.warp(1_001);
        _assertEq(_token.clock(), 1_001, "seconds");
        _assertEq(_token.getPastVotes(address(this), 1_000), CAP - 10, "votes");
        _assertTrue(keccak256(bytes(_token.CLOCK_MODE())) == keccak256("mode=timestamp"), "mode");
        _assertEq(_token.nonces(address(this)), 0, "no permit was used");
    }

    function _genesis(address to, uint256 amount) private pure returns (IMallaToken.Allocation[] memory list) {
        list = new IMallaToken.Allocation[](1);
        list[0] = IMallaToken.Allocation(to, amount);
    }
}
