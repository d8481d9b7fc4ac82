// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {DisputeCourt} from "../../contracts/DisputeCourt.sol";
import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IGoverned} from "../../contracts/interfaces/IGoverned.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {CourtStage} from "./CourtStage.sol";
import {StubCommittee, StubEscrow} from "./CourtStubs.sol";

/// @title Every refusal of DisputeCourt with its operands
contract CourtRefusalsTest is CourtStage {
    IDisputeCourt.Ruling private constant DEFAULT = IDisputeCourt.Ruling.DEFAULT;

    function _no(bytes4 name, uint256 what) private {
        vm.expectRevert(abi.encodeWithSelector(name, what));
    }

    function _no(bytes4 name, uint256 what, uint256 operand) private {
        vm.expectRevert(abi.encodeWithSelector(name, what, operand));
    }

    function _no(bytes4 name, uint256 what, uint256 operand, uint256 more) private {
        vm.expectRevert(abi.encodeWithSelector(name, what, operand, more));
    }

    function _outside(string memory parameter, uint256 value, uint256 least, uint256 most) private {
        vm.expectRevert(abi.encodeWithSelector(IGoverned.ParameterOutOfBounds.selector, parameter, value, least, most));
    }

    function test_constructor__with_a_part_missing__is_refused() public {
        address[4] memory parts = [address(token), address(escrow), address(staking), address(committee)];
        for (uint256 missing; missing < 4; ++missing) {
            address[4] memory its = parts;
            its[missing] = address(0);
            _no(IGoverned.NotWiredTo.selector, 0);
            new DisputeCourt(IMallaToken(its[0]), its[1], IStaking(its[2]), IOracleCommittee(its[3]), GOVERNOR, terms());
        }
    }

    function test_constructor__outside_the_bounds__is_refused() public {
        IDisputeCourt.Terms memory its = terms();
        its.appealBond = 1 gwei - 1;
        _outside("appealBond", 1 gwei - 1, 1 gwei, 1e6 ether);
        _deploy(its);
        its = terms();
        its.disputeBond = 1e6 ether + 1;
        _outside("disputeBond", 1e6 ether + 1, 1 gwei, 1e6 ether);
        _deploy(its);
        its = terms();
        its.rulingWindow = 14 days + 1;
        _outside("rulingWindow", 14 days + 1, 5, 14 days);
        _deploy(its);
        its = terms();
        its.disputeWindow = 22 days + 1;
        _outside("disputeWindow", 22 days + 1, 5, 22 days);
        _deploy(its);
        its = terms();
        its.shareMultiple = 101;
        _outside("shareMultiple", 101, 0, 100);
        _deploy(its);
    }

    function test_setTerms__against_the_other_contracts__is_refused() public {
        IDisputeCourt.Terms memory its = terms();
        _no(IGoverned.OnlyGovernor.selector, uint160(address(this)));
        court.setTerms(its);
        vm.startPrank(GOVERNOR);
        its.rulingWindow = 10 days + 1;
        _outside("rulingWindow", 10 days + 1, 0, 10 days);
        court.setTerms(its);
        its.rulingWindow = 10 days;
        court.setTerms(its);
        staking.setDelay(29 days);
        _outside("rulingWindow", 10 days, 0, 9 days);
        court.setTerms(its);
        staking.setDelay(90 days);
        committee.setDelay(1 days);
        _outside("rulingWindow", 10 days, 0, 0);
        court.setTerms(its);
        committee.setDelay(90 days);
        its.disputeWindow = 4 days + 1;
        _outside("disputeWindow", 4 days + 1, 0, 4 days);
        court.setTerms(its);
        vm.stopPrank();
        _assertEq(court.rulingWindow(), 10 days, "window");
        _assertEq(court.terms().disputeWindow, 4 days, "terms");
    }

    function test_appeal__where_it_cannot_be__is_refused() public {
        uint64 id = commit(50 ether);
        _no(IDisputeCourt.NotFrozenForFraud.selector, id);
        appeal(id, PROVIDER);
        escrow.freeze(id, PROVIDER, IEscrowBatches.Outcome.NOT_OPENED);
        _no(IDisputeCourt.NotFrozenForFraud.selector, id);
        appeal(id, PROVIDER);
        freeze(id);
        _no(IDisputeCourt.NotParty.selector, id, uint160(ALICE));
        appeal(id, ALICE);
        uint256 until = block.timestamp + 2 days;
        vm.warp(until);
        _no(IDisputeCourt.AppealTooLate.selector, id, until);
        appeal(id, PROVIDER);
        vm.warp(until - 1);
        uint64 caseId = appeal(id, PROVIDER);
        _no(IDisputeCourt.CaseExists.selector, id, 0, caseId);
        appeal(id, PROVIDER);
        bytes[] memory signatures = sign(caseId, CONVICTED);
        _no(IDisputeCourt.RulingNotPossible.selector, caseId, uint256(CONVICTED));
        ruleBy(caseId, CONVICTED, signatures);
    }

    function test_dispute__where_it_cannot_be__is_refused() public {
        uint64 id = commit(50 ether);
        _no(IEscrowBatches.IndexOutOfRange.selector, id, 3);
        dispute(id, 3, ALICE);
        _no(IDisputeCourt.NotParty.selector, id, uint160(BOB));
        dispute(id, 0, BOB);
        uint256 until = block.timestamp + 4 days;
        vm.warp(until);
        _no(IDisputeCourt.DisputeTooLate.selector, id, until);
        dispute(id, 0, ALICE);
        vm.warp(until - 1);
        uint64 caseId = dispute(id, 0, ALICE);
        _no(IDisputeCourt.CaseExists.selector, id, 0, caseId);
        dispute(id, 0, ALICE);
        rule(caseId, REJECTED);
        _no(IDisputeCourt.CaseExists.selector, id, 0, caseId);
        dispute(id, 0, ALICE);
    }

    function test_dispute__of_what_came_back__is_refused() public {
        uint64 id = commit(0);
        _no(IDisputeCourt.AlreadyReturned.selector, id, 0);
        dispute(id, 0, ALICE);
        id = commit(50 ether);
        escrow.mature(id, IEscrowBatches.Outcome.DEFAULT, 2);
        _no(IDisputeCourt.AlreadyReturned.selector, id, 0);
        dispute(id, 0, ALICE);
        dispute(id, 1, BOB);
        dispute(id, 2, ALICE);
        escrow.forfeit(id, PROVIDER);
        id = commit(50 ether);
        escrow.forfeit(id, PROVIDER);
        _no(IDisputeCourt.AlreadyReturned.selector, id, 0);
        dispute(id, 0, ALICE);
    }

    function test_rule__where_it_cannot_be__is_refused() public {
        bytes[] memory signatures = new bytes[](2);
        _no(IDisputeCourt.NoSuchCase.selector, 1);
        ruleBy(1, UPHELD, signatures);
        uint64 id = commit(50 ether);
        uint64 caseId = dispute(id, 0, ALICE);
        _no(IDisputeCourt.RulingNotPossible.selector, caseId, 0);
        ruleBy(caseId, IDisputeCourt.Ruling.NONE, signatures);
        _no(IDisputeCourt.RulingNotPossible.selector, caseId, uint256(DEFAULT));
        ruleBy(caseId, DEFAULT, signatures);
        _no(StubCommittee.TooFewSignatures.selector, 2, 3);
        ruleBy(caseId, UPHELD, signatures);
        uint256 deadline = block.timestamp + WINDOW;
        vm.warp(deadline);
        signatures = sign(caseId, UPHELD);
        _no(IDisputeCourt.RulingTooLate.selector, caseId, deadline);
        ruleBy(caseId, UPHELD, signatures);
        vm.warp(deadline - 1);
        _no(IDisputeCourt.RulingTooEarly.selector, caseId, deadline);
        court.closeByDefault(caseId);
        // Another set than the case's cannot rule it, and its own still can when the present one is another.
        committee.setVersion(8);
        ruleBy(caseId, UPHELD, signatures);
        _no(IDisputeCourt.CaseClosed.selector, caseId, uint256(UPHELD));
        ruleBy(caseId, UPHELD, signatures);
        _no(IDisputeCourt.CaseClosed.selector, caseId, uint256(UPHELD));
        court.closeByDefault(caseId);
        caseId = dispute(commit(50 ether), 1, BOB);
        signatures = sign(caseId, REJECTED);
        vm.expectRevert(abi.encodeWithSelector(StubCommittee.SignerNotMember.selector, vm.addr(11), 8));
        ruleBy(caseId, REJECTED, signatures);
    }

    function test_convict__where_it_cannot_be__is_refused() public {
        uint64 id = commit(50 ether);
        uint64 caseId = dispute(id, 0, ALICE);
        _no(IDisputeCourt.NotConvicted.selector, caseId, 0);
        court.convict(caseId, heads[id]);
        rule(caseId, CONVICTED);
        pass(id);
        escrow.reachCeiling(true);
        _no(StubEscrow.SlashCeilingReached.selector, 1, 1);
        court.convict(caseId, heads[id]);
        escrow.reachCeiling(false);
        uint256 until = block.timestamp + WINDOW + 45 days;
        vm.warp(until);
        _no(IDisputeCourt.ConvictionTooLate.selector, caseId, until);
        court.convict(caseId, heads[id]);
        vm.warp(until - 1);
        court.convict(caseId, heads[id]);
        _no(IDisputeCourt.ConvictedSince.selector, uint160(PROVIDER), id);
        court.convict(caseId, heads[id]);
    }
}
