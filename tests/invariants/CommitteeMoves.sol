// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {Book} from "./Book.sol";
import {Moves} from "./Moves.sol";
import {Shadow} from "./Shadow.sol";

/// @title Seats, and oracles that contradict themselves
contract CommitteeMoves is Moves {
    /// @notice Wei that slashed oracles lost to the fire and to reporters.
    uint256 public lost;

    constructor(Book book_, Shadow shadow_) Moves(book_, shadow_) {}

    function join(uint256 who) external told {
        address oracle = _oracle(who);
        uint16 before = committee.version();
        vm.prank(oracle);
        committee.join("https://again.example", bytes32(uint256(1)), bytes32(uint256(2)));
        shadow.note(36, !book.equivocated(oracle), "a convicted oracle joined again");
        shadow.note(37, committee.version() == before + 1, "a join made no set version");
    }

    /// @notice Seldom below three: without a committee little happens.
    function resign(uint256 who) external told {
        address oracle = _oracle(who);
        if (committee.members(committee.version()).length < 4 && who % 8 != 0) revert Book.NothingToPick();
        vm.prank(oracle);
        committee.resign();
        shadow.note(9, committee.oracle(oracle).releaseAt == block.timestamp + committee.stakeDelay(), "released early");
    }

    function withdraw(uint256 who) external told {
        address oracle = _oracle(who);
        for (uint256 i = 1; i < 5 && committee.oracle(oracle).releaseAt == 0; ++i) {
            oracle = _oracle(who % 5 + i);
        }
        IOracleCommittee.Oracle memory its = committee.oracle(oracle);
        uint256 wallet = token.balanceOf(oracle);
        vm.prank(oracle);
        committee.withdraw();
        shadow.note(9, its.releaseAt != 0 && its.releaseAt <= block.timestamp, "a seat's stake left too early");
        shadow.note(24, token.balanceOf(oracle) == wallet + its.stake, "a seat's stake paid something else");
    }

    /// @notice An oracle signs PASS and FRAUD for one batch, and a stranger shows both.
    function equivocate(uint256 who, uint256 which) external told {
        if (who % 3 != 0) revert Book.NothingToPick();
        address oracle = _oracle(who >> 8);
        uint64 id = uint64(1 + which % escrow.batchCount());
        uint16 version = book.headOf(id).setVersion;
        (IEscrowBatches.Decision[] memory one, bytes memory first) =
            _signed(oracle, version, id, IEscrowBatches.Outcome.PASS);
        (IEscrowBatches.Decision[] memory other, bytes memory second) =
            _signed(oracle, version, id, IEscrowBatches.Outcome.FRAUD);
        uint256 stake = committee.oracle(oracle).stake;
        address reporter = book.people(which % 2);
        uint256 wallet = token.balanceOf(reporter);
        vm.prank(reporter);
        committee.proveEquivocation(oracle, version, id, one, first, other, second);
        book.markEquivocated(oracle);
        lost += stake;
        shadow.note(36, !committee.hasSeat(oracle), "a convicted oracle kept its seat");
        shadow.note(8, committee.oracle(oracle).stake == 0, "a convicted oracle kept some stake");
        shadow.note(8, token.balanceOf(reporter) == wallet + stake / 10, "the reporter got something else");
    }

    /// @notice Two identical lists, or lists about different batches, convict nobody.
    function accuseHonest(uint256 who, uint256 which) external told {
        address oracle = _oracle(who);
        uint64 id = uint64(1 + which % escrow.batchCount());
        uint16 version = book.headOf(id).setVersion;
        (IEscrowBatches.Decision[] memory one, bytes memory first) =
            _signed(oracle, version, id, IEscrowBatches.Outcome.PASS);
        (IEscrowBatches.Decision[] memory other, bytes memory second) =
            _signed(oracle, version, id + 1, IEscrowBatches.Outcome.FRAUD);
        try committee.proveEquivocation(oracle, version, id, one, first, other, second) {
            shadow.note(23, false, "an honest oracle was slashed");
        } catch {}
        try committee.proveEquivocation(oracle, version, id, one, first, one, first) {
            shadow.note(23, false, "an honest oracle was slashed");
        } catch {}
    }

    function refreshCoverage() external told {
        escrow.refreshCoverage();
    }

    function _signed(address oracle, uint16 version, uint64 id, IEscrowBatches.Outcome outcome)
        private
        view
        returns (IEscrowBatches.Decision[] memory list, bytes memory signature)
    {
        list = new IEscrowBatches.Decision[](1);
        list[0] = IEscrowBatches.Decision(id, book.headOf(id).entriesHash, outcome, 0, 0);
        signature = stage.signBy(oracle, escrow.settlementDigest(version, list));
    }

    function _oracle(uint256 who) private view returns (address) {
        return stage.oracles(who % 5);
    }
}
