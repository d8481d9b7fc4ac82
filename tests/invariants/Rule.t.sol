// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {Campaign} from "./Campaign.sol";

/// @title Oracles, court and governance: who may decide, and what nobody may
contract RuleTest is Campaign {
    mapping(uint64 caseId => uint256) private _rulingOf;
    mapping(uint16 setVersion => bytes32) private _membersOf;

    function look() external override {
        _seeCourt34();
        _seeCommittee37();
    }

    /// @notice 22 (R1): a campaign for the end alone: whatever happened, a stranger ends everything.
    function invariant_22_everything__can_be_ended_by_anybody() public view {
        _holds(22);
    }

    /// @notice 23 (A10): no call of a stranger leaves anybody else worse off.
    function invariant_23_strangers__worsen_nobody() public view {
        _holds(23);
    }

    /// @notice 24: the committee holds exactly the stakes of its seats.
    function invariant_24_committee__tokens__are_the_stakes_of_its_seats() public view {
        uint256 sum = shadow.donated(address(committee));
        for (uint256 i; i < 5; ++i) {
            sum += committee.oracle(stage.oracles(i)).stake;
        }
        _assertEq(token.balanceOf(address(committee)), sum, "seats and tokens");
        _holds(24);
    }

    /// @notice 33: fewer than a quorum never settle and never rule.
    function invariant_33_committee__below_a_quorum__nothing_is_decided() public view {
        _holds(33);
    }

    /// @notice 34: a ruling, once made, is never another one.
    function invariant_34_court__a_ruling__is_made_once() public view {
        _holds(0);
        _holds(34);
    }

    /// @notice 36 (R57): whoever contradicted itself has no seat, and none of its signatures counts.
    function invariant_36_committee__a_convicted_oracle__counts_nowhere() public view {
        _holds(36);
        for (uint256 i; i < 5; ++i) {
            address oracle = stage.oracles(i);
            if (!book.equivocated(oracle)) continue;
            _assertTrue(!committee.hasSeat(oracle), "has a seat");
            _assertTrue(!committee.isMember(committee.version(), oracle), "is a member");
        }
    }

    /// @notice 37 (R56): of every set that ever was, q > n / 2, q > (n + f) / 2 and 3 f < n; and no set ever changes.
    function invariant_37_committee__quorum__holds_for_every_set() public view {
        _holds(0);
        _holds(37);
    }

    /// @notice 39 (R70): the court holds the bonds of open cases and nothing else: bonds in = bonds out + burned.
    function invariant_39_court__tokens__are_the_bonds_of_open_cases() public view {
        uint256 sum = shadow.donated(address(court));
        for (uint64 id = 1; id <= court.caseCount(); ++id) {
            IDisputeCourt.Case memory its = court.caseOf(id);
            if (its.ruling == IDisputeCourt.Ruling.NONE) sum += its.bond;
        }
        _assertEq(token.balanceOf(address(court)), sum, "bonds and tokens");
        _assertEq(shadow.bondsDue(), sum - shadow.donated(address(court)), "bonds and their events");
    }

    /// @notice 40, 41: a case has a deadline within the ruling window and ends once; whoever loses pays.
    function invariant_40_41_court__cases__end_in_time_and_the_loser_pays() public view {
        _holds(40);
        _holds(41);
    }

    /// @notice 42: no parameter is another than governance last set.
    function invariant_42_governance__parameters__change_by_the_timelock_only() public view {
        _holds(42);
        _assertEq(govern.digest(), govern.agreed(), "parameters");
    }

    /// @notice 43 (R67): a pause moves nothing, ends within seven days, and withdrawals work meanwhile.
    function invariant_43_governance__pause__moves_nothing_and_ends() public view {
        _holds(43);
        _assertLe(escrow.pausedUntil(), block.timestamp + 7 days, "escrow's pause");
        _assertLe(staking.pausedUntil(), block.timestamp + 7 days, "staking's pause");
    }

    /// @notice 44 (R65): stakes outlast the longest way and the court; the timelock outlasts the stakes.
    function invariant_44_governance__delays__outlast_what_they_guard() public view {
        uint256 longest = escrow.longestWay() + court.rulingWindow();
        _assertLe(longest, staking.unstakeDelay(), "unstake delay");
        _assertLe(longest, committee.stakeDelay(), "seat delay");
        _assertLe(staking.unstakeDelay(), stage.timelock().getMinDelay(), "timelock");
        IEscrowTerms.Parameters memory its = escrow.parameters();
        _assertLe(its.feeBps, 2_000, "fee");
        _assertTrue(its.slashBps >= 100 && its.slashBps <= 10_000, "slash");
        _assertLe(its.challengerBps, 3_000, "challenger's share");
        _assertTrue(its.detectionBps >= 100 && its.detectionBps < 10_000, "detection");
        _assertLe(rewards.betaBps(), 9_000, "beta is below one");
    }

    /// @notice 45: the contracts know each other, governance is the timelock, and nobody can change that.
    function invariant_45_governance__roles__are_those_of_the_deployment() public view {
        address timelock = address(stage.timelock());
        _assertEq(escrow.wiring().governor, timelock, "escrow");
        _assertEq(stage.staking().governor(), timelock, "staking");
        _assertEq(stage.committee().governor(), timelock, "committee");
        _assertEq(stage.rewards().governor(), timelock, "rewards");
        _assertEq(stage.court().governor(), timelock, "court");
        _assertEq(token.minter(), address(rewards), "minter");
        _assertEq(keccak256(abi.encode(escrow.wiring())), keccak256(abi.encode(stage.wiring())), "wiring");
        bytes32 role = stage.timelock().DEFAULT_ADMIN_ROLE();
        _assertTrue(!stage.timelock().hasRole(role, address(stage)), "the deployer kept a role");
    }

    /// @notice 47: none of the contracts ever calls somebody who is not one of them.
    function invariant_47_everything__calls_no_stranger() public view {
        _holds(47);
    }

    /// @notice 49: what a call walks over is bounded: at most sixteen unstakings and 32 seats.
    function invariant_49_everything__lists_are_bounded() public view {
        for (uint256 i; i < 3; ++i) {
            _assertLe(staking.unstakings(book.providers(i)).length, 16, "unstakings");
        }
        _assertLe(committee.members(committee.version()).length, 32, "members");
    }

    function _seeCourt34() private {
        for (uint64 id = 1; id <= court.caseCount(); ++id) {
            uint256 ruling = uint256(court.caseOf(id).ruling);
            if (_rulingOf[id] != 0) _assertEq(ruling, _rulingOf[id], "a ruling changed");
            _rulingOf[id] = ruling;
        }
    }

    function _seeCommittee37() private {
        for (uint16 version; version <= committee.version(); ++version) {
            address[] memory members = committee.members(version);
            (uint256 n, uint256 f, uint256 q) = (members.length, committee.faults(version), committee.quorum(version));
            _assertTrue(2 * q > n && 2 * q > n + f, "two quorums share an honest member");
            if (n != 0) _assertTrue(3 * f < n && q <= n - f, "the honest are a quorum");
            bytes32 digest = keccak256(abi.encode(members));
            if (_membersOf[version] != 0) _assertEq(digest, _membersOf[version], "a set changed");
            _membersOf[version] = digest;
        }
    }
}
