// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {DisputeCourt} from "../../contracts/DisputeCourt.sol";
import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {Base} from "./Base.sol";
import {CallingToken, StubCommittee, StubEscrow, StubStaking} from "./CourtStubs.sol";

/// @title A court among stand-ins, so that each of its decisions meets each state of a batch
abstract contract CourtStage is Base {
    address internal constant GOVERNOR = address(0x60);
    address internal constant PROVIDER = address(0x1001);
    address internal constant ALICE = address(0xA11);
    address internal constant BOB = address(0xB0B);
    uint96 internal constant APPEAL_BOND = 500 ether;
    /// @dev Odd, so that its halves differ.
    uint96 internal constant BOND = 100 ether + 1;
    uint96 internal constant STAKE = 10_000 ether;
    uint32 internal constant WINDOW = 5 days;
    IDisputeCourt.Ruling internal constant UPHELD = IDisputeCourt.Ruling.UPHELD;
    IDisputeCourt.Ruling internal constant REJECTED = IDisputeCourt.Ruling.REJECTED;
    IDisputeCourt.Ruling internal constant CONVICTED = IDisputeCourt.Ruling.CONVICTED;

    CallingToken internal token;
    StubCommittee internal committee;
    StubStaking internal staking;
    StubEscrow internal escrow;
    DisputeCourt internal court;
    mapping(uint64 batchId => IEscrowBatches.BatchHead) internal heads;
    mapping(uint64 batchId => IEscrowBatches.Entry[]) internal lists;
    mapping(uint64 caseId => uint64) private _batchOf;

    function setUp() public {
        vm.warp(1_000_000);
        token = new CallingToken();
        committee = new StubCommittee();
        staking = new StubStaking(token);
        escrow = new StubEscrow(staking);
        court = _deploy(terms());
        for (uint256 key = 11; key < 14; ++key) {
            committee.seat(7, vm.addr(key));
        }
        token.mint(address(this), STAKE);
        token.approve(address(staking), STAKE);
        staking.stake(PROVIDER, STAKE);
        address[3] memory people = [PROVIDER, ALICE, BOB];
        for (uint256 i; i < people.length; ++i) {
            token.mint(people[i], 100_000 ether);
            vm.prank(people[i]);
            token.approve(address(court), type(uint256).max);
        }
    }

    function _deploy(IDisputeCourt.Terms memory its) internal returns (DisputeCourt) {
        return new DisputeCourt(
            IMallaToken(address(token)),
            address(escrow),
            IStaking(address(staking)),
            IOracleCommittee(address(committee)),
            GOVERNOR,
            its
        );
    }

    function terms() internal pure returns (IDisputeCourt.Terms memory) {
        return IDisputeCourt.Terms(APPEAL_BOND, BOND, WINDOW, 4 days, 3);
    }

    /// @notice Commits a job of Alice, a job of Bob and a voucher of Alice, each for `amount`.
    function commit(uint96 amount) internal returns (uint64 id) {
        IEscrowBatches.Entry[] memory list = new IEscrowBatches.Entry[](3);
        for (uint256 i; i < 3; ++i) {
            bytes32 answer = i == 2 ? bytes32(0) : bytes32("answer");
            list[i] = IEscrowBatches.Entry(bytes32(i), i == 1 ? BOB : ALICE, amount, amount, "leaf", answer);
        }
        bytes32 hash = keccak256(abi.encode(list));
        IEscrowBatches.BatchHead memory head =
            IEscrowBatches.BatchHead(PROVIDER, uint40(block.timestamp), uint40(block.number), 7, 1, hash);
        id = escrow.commit(head);
        heads[id] = head;
        for (uint256 i; i < 3; ++i) {
            lists[id].push(list[i]);
        }
    }

    function sign(uint64 caseId, IDisputeCourt.Ruling ruling) internal view returns (bytes[] memory signatures) {
        signatures = new bytes[](3);
        bytes32 digest = court.rulingDigest(caseId, ruling);
        for (uint256 i; i < 3; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(11 + i, digest);
            signatures[i] = abi.encodePacked(r, s, v);
        }
    }

    function dispute(uint64 id, uint16 index, address who) internal returns (uint64 caseId) {
        vm.prank(who);
        caseId = court.dispute(id, heads[id], lists[id], index);
        _batchOf[caseId] = id;
    }

    function appeal(uint64 id, address who) internal returns (uint64 caseId) {
        vm.prank(who);
        caseId = court.appeal(id, heads[id], lists[id]);
        _batchOf[caseId] = id;
    }

    function rule(uint64 caseId, IDisputeCourt.Ruling ruling) internal {
        ruleBy(caseId, ruling, sign(caseId, ruling));
    }

    /// @dev Calls nothing but `rule`, so that a refusal can be expected of it.
    function ruleBy(uint64 caseId, IDisputeCourt.Ruling ruling, bytes[] memory signatures) internal {
        uint64 id = _batchOf[caseId];
        court.rule(caseId, ruling, heads[id], lists[id], signatures);
    }

    function pass(uint64 id) internal {
        escrow.mature(id, IEscrowBatches.Outcome.PASS, 0);
    }

    function freeze(uint64 id) internal {
        escrow.freeze(id, PROVIDER, IEscrowBatches.Outcome.FRAUD);
    }

    function isCompensated(uint64 caseId) internal view returns (bool) {
        return court.caseOf(caseId).isCompensated;
    }
}
