// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {OracleCommittee} from "../../contracts/OracleCommittee.sol";
import {IGoverned} from "../../contracts/interfaces/IGoverned.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {SeatStage} from "./SeatStage.sol";

/// @title What the committee refuses, with the operands that name the cause
/// @dev R26, R56, R58, R59.
contract SeatRefusalsTest is SeatStage {
    address private constant STRANGER = address(0xBEEF);
    string private constant URL = "https://oracle.example";

    function test_deploy__with_a_part_or_a_number_that_cannot_be__is_refused() external {
        _refuse(abi.encodeWithSelector(IGoverned.NotWiredTo.selector, 0));
        _deploy(address(0), address(this), _seats(1), STAKE, DELAY, 50);
        _refuse(abi.encodeWithSelector(IGoverned.NotWiredTo.selector, 0));
        _deploy(address(_escrow), address(0), _seats(1), STAKE, DELAY, 50);
        for (uint256 n; n < 2; ++n) {
            uint256 size = n == 0 ? 0 : 33;
            _refuse(abi.encodeWithSelector(IOracleCommittee.SeatsOutOfBounds.selector, size, 32));
            _deploy(address(_escrow), address(this), _seats(size), STAKE, DELAY, 50);
        }
        _refuse(abi.encodeWithSelector(IOracleCommittee.NoSeat.selector, 0));
        _deploy(address(_escrow), address(this), new address[](1), STAKE, DELAY, 50);
        _refuse(_outOfBounds("seatStake", 0, 1, 1e8 ether));
        _deploy(address(_escrow), address(this), _seats(1), 0, DELAY, 50);
        _refuse(_outOfBounds("stakeDelay", 59, 60, 90 days));
        _deploy(address(_escrow), address(this), _seats(1), STAKE, 59, 50);
        _refuse(_outOfBounds("epochBlocks", 0, 1, 1_000_000));
        _deploy(address(_escrow), address(this), _seats(1), STAKE, DELAY, 0);
    }

    function test_govern__by_a_stranger__is_refused() external {
        _found(2);
        bytes memory refusal = abi.encodeWithSelector(IGoverned.OnlyGovernor.selector, STRANGER);
        vm.startPrank(STRANGER);
        vm.expectRevert(refusal);
        _committee.addSeat(STRANGER);
        vm.expectRevert(refusal);
        _committee.removeSeat(_sorted[0]);
        vm.expectRevert(refusal);
        _committee.setSeatStake(1);
        vm.expectRevert(refusal);
        _committee.setStakeDelay(90 days);
        vm.stopPrank();
        _refuse(_outOfBounds("seatStake", 0, 1, 1e8 ether));
        _committee.setSeatStake(0);
    }

    function test_join__that_cannot_be__is_refused() external {
        _found(2);
        _committee.addSeat(_sorted[2]);
        _joinRefused(STRANGER, URL, DIGEST, DIGEST, abi.encodeWithSelector(IOracleCommittee.NoSeat.selector, STRANGER));
        _joinRefused(
            _sorted[0], URL, DIGEST, DIGEST, abi.encodeWithSelector(IOracleCommittee.AlreadyMember.selector, _sorted[0])
        );
        bytes memory refusal = abi.encodeWithSelector(IOracleCommittee.ZeroKey.selector);
        _joinRefused(_sorted[2], URL, 0, DIGEST, refusal);
        _joinRefused(_sorted[2], URL, DIGEST, 0, refusal);
        for (uint256 n; n < 2; ++n) {
            bytes memory url = new bytes(n == 0 ? 0 : 201);
            refusal = abi.encodeWithSelector(IOracleCommittee.UrlLength.selector, url.length, 200);
            _joinRefused(_sorted[2], string(url), DIGEST, DIGEST, refusal);
        }
        _leave(_sorted[1]);
        refusal = abi.encodeWithSelector(IOracleCommittee.StillReleasing.selector, _sorted[1], block.timestamp + DELAY);
        _joinRefused(_sorted[1], URL, DIGEST, DIGEST, refusal);
    }

    function test_leave__of_who_is_no_member__is_refused() external {
        _found(2);
        bytes memory refusal = abi.encodeWithSelector(IOracleCommittee.NotMember.selector, STRANGER);
        vm.startPrank(STRANGER);
        vm.expectRevert(refusal);
        _committee.resign();
        vm.expectRevert(refusal);
        _committee.setUrl(URL);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.NothingToWithdraw.selector, STRANGER));
        _committee.withdraw();
        vm.stopPrank();
        vm.prank(_sorted[0]);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.NothingToWithdraw.selector, _sorted[0]));
        _committee.withdraw();
    }

    function test_url__of_a_member__is_replaced() external {
        _found(2);
        vm.prank(_sorted[0]);
        _committee.setUrl("https://new.example");
        IOracleCommittee.Oracle memory its = _committee.oracle(_sorted[0]);
        _assertTrue(keccak256(bytes(its.url)) == keccak256("https://new.example"), "url");
        _assertEq(its.stake, STAKE, "stake");
    }

    function test_signatures__out_of_order_or_of_an_outsider__are_refused() external {
        _found(4);
        bytes[] memory signatures = _signatures(4);
        (signatures[0], signatures[1]) = (signatures[1], signatures[0]);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.SignersNotAscending.selector, _sorted[1], _sorted[0]));
        _committee.requireQuorum(4, DIGEST, signatures);
        signatures = _signatures(4);
        signatures[1] = signatures[0];
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.SignersNotAscending.selector, _sorted[0], _sorted[0]));
        _committee.requireQuorum(4, DIGEST, signatures);
        signatures[0] = _sign(_sorted[9], DIGEST);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.SignerNotMember.selector, _sorted[9], 4));
        _committee.requireQuorum(4, DIGEST, signatures);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.UnknownSetVersion.selector, 5));
        _committee.requireQuorum(5, DIGEST, signatures);
        vm.expectRevert(abi.encodeWithSelector(IOracleCommittee.TooFewSignatures.selector, 0, 1));
        _committee.requireOneHonest(0, DIGEST, new bytes[](0));
    }

    function _deploy(
        address escrow,
        address governor,
        address[] memory seats,
        uint96 stake,
        uint32 delay,
        uint32 epochBlocks
    ) private {
        new OracleCommittee(IMallaToken(address(_token)), escrow, governor, seats, stake, delay, epochBlocks);
    }

    function _joinRefused(
        address account,
        string memory url,
        bytes32 encryptionKey,
        bytes32 anchor,
        bytes memory refusal
    ) private {
        vm.prank(account);
        vm.expectRevert(refusal);
        _committee.join(url, encryptionKey, anchor);
    }

    function _refuse(bytes memory refusal) private {
        vm.expectRevert(refusal);
    }

    function _outOfBounds(string memory parameter, uint256 value, uint256 least, uint256 most)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(IGoverned.ParameterOutOfBounds.selector, parameter, value, least, most);
    }
}
