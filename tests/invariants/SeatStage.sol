// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {MallaToken} from "../../contracts/MallaToken.sol";
import {OracleCommittee} from "../../contracts/OracleCommittee.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {Base} from "./Base.sol";
import {EscrowStandIn} from "./SeatStubs.sol";

/// @title A committee of any size, whose governor is the test
abstract contract SeatStage is Base {
    uint96 internal constant STAKE = 5_000 ether;
    uint32 internal constant DELAY = 7_000;
    bytes32 internal constant DIGEST = keccak256("digest");
    address internal constant REPORTER = address(0xBEEF);

    MallaToken internal _token;
    EscrowStandIn internal _escrow;
    OracleCommittee internal _committee;
    /// @dev Accounts in ascending order, each with the key that `_keys` holds.
    address[] internal _sorted;
    mapping(address account => uint256) internal _keys;

    function setUp() external {
        vm.warp(1_000_000);
        vm.roll(1_000);
        IMallaToken.Allocation[] memory genesis = new IMallaToken.Allocation[](1);
        genesis[0] = IMallaToken.Allocation(address(this), 1e8 ether);
        _token = new MallaToken(genesis, address(this));
        _escrow = new EscrowStandIn();
        for (uint256 key = 1; key <= 33; ++key) {
            address account = vm.addr(key);
            _keys[account] = key;
            _sorted.push(account);
            for (uint256 i = _sorted.length - 1; i != 0 && _sorted[i] < _sorted[i - 1]; --i) {
                (_sorted[i], _sorted[i - 1]) = (_sorted[i - 1], _sorted[i]);
            }
        }
    }

    function _seats(uint256 size) internal view returns (address[] memory seats) {
        seats = new address[](size);
        for (uint256 i; i < size; ++i) {
            seats[i] = _sorted[i];
        }
    }

    function _found(uint256 size) internal {
        _escrow = new EscrowStandIn();
        _committee = new OracleCommittee(
            IMallaToken(address(_token)), address(_escrow), address(this), _seats(size), STAKE, DELAY, 50
        );
        for (uint256 i; i < size; ++i) {
            _take(_sorted[i], STAKE);
        }
    }

    function _join(address account, uint96 stake) internal {
        _committee.addSeat(account);
        _take(account, stake);
    }

    function _take(address account, uint96 stake) internal {
        _token.transfer(account, stake);
        vm.startPrank(account);
        _token.approve(address(_committee), stake);
        _committee.join("https://oracle.example", DIGEST, DIGEST);
        vm.stopPrank();
    }

    function _leave(address account) internal {
        vm.prank(account);
        _committee.resign();
    }

    function _signatures(uint256 count) internal view returns (bytes[] memory list) {
        list = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            list[i] = _sign(_sorted[i], DIGEST);
        }
    }

    function _sign(address account, bytes32 digest) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_keys[account], digest);
        return abi.encodePacked(r, s, v);
    }
}
