// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {EscrowState} from "../../contracts/escrow/EscrowState.sol";
import {TermsBook} from "../../contracts/escrow/TermsBook.sol";
import {IGoverned} from "../../contracts/interfaces/IGoverned.sol";
import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {JobMath} from "../../contracts/libraries/JobMath.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title What new terms move besides themselves, and the last of their versions
contract TermEdgesTest is EscrowScene {
    EscrowState private _worn;

    /// R23: the longest way, to the second.
    function test_longest_way__of_the_first_terms__is_their_sum() public view {
        IEscrowTerms.Parameters memory its = stage.terms();
        uint256 undecided = uint256(its.maturityWindow) + its.evidenceWindow;
        uint256 sum = its.maxDuration + 2 * undecided + its.lastChance + its.appealWindow + its.slashEpoch;
        _assertEq(escrow.longestWay(), sum, "longest way");
    }

    /// R23: each of the two delays has to outlast it, whatever the other is.
    function test_terms__that_outlast_one_of_the_delays__are_refused_for_it() public {
        IEscrowTerms.Parameters memory terms = stage.terms();
        uint256 ruling = stage.court().rulingWindow();
        uint256 delay = stage.DELAY();
        terms.slashEpoch += uint32(delay - escrow.longestWay() - ruling) + 1;
        _refuse(terms, "unstakeDelay", delay);
        vm.mockCall(address(stage.staking()), abi.encodeCall(IStaking.unstakeDelay, ()), abi.encode(delay + 1));
        _refuse(terms, "stakeDelay", delay);
        vm.mockCall(address(stage.committee()), abi.encodeCall(IOracleCommittee.stakeDelay, ()), abi.encode(delay + 1));
        vm.prank(timelock);
        escrow.setTerms(terms);
        _assertEq(escrow.longestWay(), delay + 1 - ruling, "longest way");
    }

    /// R49: what is covered follows the terms at once.
    function test_terms__with_another_ceiling__change_what_is_covered() public {
        uint256 cover = stage.committee().cover();
        IEscrowTerms.Parameters memory terms = stage.terms();
        _assertEq(escrow.coverage(), _covered(cover, terms), "before");
        terms.slashCeiling = 1_000 ether;
        vm.prank(timelock);
        escrow.setTerms(terms);
        _assertEq(escrow.coverage(), _covered(cover, terms), "after");
    }

    /// R44: a shorter claim delay lets no key end sooner.
    function test_terms__with_a_shorter_claim_delay__keep_the_longest_one() public {
        IEscrowTerms.Parameters memory terms = stage.terms();
        uint256 delay = terms.claimDelay;
        terms.claimDelay -= 40;
        vm.prank(timelock);
        escrow.setTerms(terms);
        address key = vm.addr(77);
        vm.prank(alice);
        escrow.authoriseKey(key, 1 ether, uint40(block.timestamp + 50_000), new bytes32[](0));
        vm.prank(alice);
        escrow.revokeKey(key);
        _assertEq(escrow.keyRecord(alice, key).endsAt, block.timestamp + delay, "the longest delay");
    }

    /// R65: versions end where their number does, with a refusal that says so.
    function test_terms__after_the_last_version__are_refused() public {
        _worn.opening.version = type(uint16).max - 1;
        this.set();
        _assertEq(_worn.opening.version, type(uint16).max, "the last version");
        vm.expectRevert(
            abi.encodeWithSelector(
                IGoverned.ParameterOutOfBounds.selector, "version", type(uint16).max, 0, type(uint16).max - 1
            )
        );
        this.set();
    }

    /// R65: the governor alone changes terms and guardian.
    function test_terms_and_guardian__named_by_a_stranger__are_refused() public {
        IEscrowTerms.Parameters memory terms = stage.terms();
        _refused(eve, IGoverned.OnlyGovernor.selector);
        escrow.setTerms(terms);
        _refused(eve, IGoverned.OnlyGovernor.selector);
        escrow.setGuardian(eve);
    }

    function set() external {
        TermsBook.set(_worn, stage.wiring(), stage.terms());
    }

    function _refuse(IEscrowTerms.Parameters memory terms, string memory delay, uint256 value) private {
        vm.prank(timelock);
        vm.expectRevert(
            abi.encodeWithSelector(IGoverned.ParameterOutOfBounds.selector, delay, value, value + 1, type(uint32).max)
        );
        escrow.setTerms(terms);
    }

    function _covered(uint256 cover, IEscrowTerms.Parameters memory terms) private pure returns (uint256) {
        return uint256(JobMath.coverageOf(cover, terms.challengerBps, terms.slashCeiling)) * 1 gwei;
    }
}
