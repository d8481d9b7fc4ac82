// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {IOracleCommittee} from "../interfaces/IOracleCommittee.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {IEscrowTerms} from "../interfaces/escrow/IEscrowTerms.sol";
import {JobMath} from "../libraries/JobMath.sol";
import {EscrowState, FeeTerms, OpeningTerms} from "./EscrowState.sol";

/// @title TermsBook: a new version of the terms, each parameter inside its hard bounds
library TermsBook {
    /// @notice Adds a version and makes it the present one.
    function set(EscrowState storage self, IEscrowTerms.Wiring memory parts, IEscrowTerms.Parameters memory terms)
        internal
    {
        _requireBounds(terms);
        OpeningTerms storage opening = self.opening;
        _within("version", opening.version, 0, type(uint16).max - 1);
        uint16 version = opening.version + 1;
        opening.openFee = terms.openFee;
        opening.slashBps = terms.slashBps;
        opening.challengerBps = terms.challengerBps;
        opening.detectionBps = terms.detectionBps;
        opening.maxDuration = terms.maxDuration;
        opening.maxSession = terms.maxSession;
        opening.version = version;
        self.terms[version] = terms;
        self.fees[version] = FeeTerms(terms.feeBps, terms.auditFee, terms.submitFee);
        uint256 longest = longestOf(terms);
        // Never shorter than it was: what began under older terms may still be open.
        if (longest < self.longestWay) longest = self.longestWay;
        self.longestWay = uint64(longest);
        if (terms.claimDelay > self.longestClaim) self.longestClaim = terms.claimDelay;
        _requireDelays(parts, longest);
        emit IEscrowTerms.TermsChanged(version, terms);
        refreshCoverage(self, IOracleCommittee(parts.committee));
    }

    /// @notice Takes over the present set and what its stake covers.
    function refreshCoverage(EscrowState storage self, IOracleCommittee committee) internal {
        IEscrowTerms.Parameters storage terms = self.terms[self.opening.version];
        uint64 coverage = JobMath.coverageOf(committee.cover(), terms.challengerBps, terms.slashCeiling);
        self.ledger.coverage = coverage;
        self.setVersion = committee.version();
        emit IEscrowTerms.CoverageChanged(uint256(coverage) * 1 gwei);
    }

    /// @notice Seconds from an opening to the last moment at which its provider can be slashed for it. What the default
    /// waits for counts twice, because openings posted on-chain start it again.
    function longestOf(IEscrowTerms.Parameters memory terms) internal pure returns (uint256) {
        uint256 undecided = uint256(terms.maturityWindow) + terms.evidenceWindow;
        return terms.maxDuration + 2 * undecided + terms.lastChance + terms.appealWindow + terms.slashEpoch;
    }

    /// @dev Stake that could leave before the longest way is over would deter nobody.
    function _requireDelays(IEscrowTerms.Wiring memory parts, uint256 longest) private view {
        longest += IDisputeCourt(parts.court).rulingWindow();
        _within("unstakeDelay", IStaking(parts.staking).unstakeDelay(), longest, type(uint32).max);
        _within("stakeDelay", IOracleCommittee(parts.committee).stakeDelay(), longest, type(uint32).max);
    }

    function _requireBounds(IEscrowTerms.Parameters memory terms) private pure {
        _within("openFee", terms.openFee, 0, 1 ether);
        _within("feeBps", terms.feeBps, 0, 2_000);
        _within("slashBps", terms.slashBps, 100, 10_000);
        _within("challengerBps", terms.challengerBps, 0, 3_000);
        _within("detectionBps", terms.detectionBps, 100, 9_999);
        _within("auditBps", terms.auditBps, 100, 10_000);
        // A block can read the hashes of the last 256 only; half of that is left for reading it.
        _within("drawDelay", terms.drawDelay, 1, 128);
        _within("startWindow", terms.startWindow, 5, 1 days);
        _within("cancelDelay", terms.cancelDelay, 5, 1 days);
        _within("maxDuration", terms.maxDuration, 5, 7 days);
        _within("maturityWindow", terms.maturityWindow, 5, 15 days);
        _within("openWindow", terms.openWindow, 5, terms.maturityWindow);
        _within("lastChance", terms.lastChance, 5, 7 days);
        _within("evidenceWindow", terms.evidenceWindow, 5, 7 days);
        _within("appealWindow", terms.appealWindow, 5, 14 days);
        // While the value at risk is too high nothing can be committed; within the claim delay everything has ended
        // that was open when a session began to close.
        uint256 ending = uint256(terms.maxDuration) + terms.maturityWindow + terms.evidenceWindow;
        _within("claimDelay", terms.claimDelay, ending, 60 days);
        _within("maxSession", terms.maxSession, 60, 90 days);
        _within("slashEpoch", terms.slashEpoch, 5, 7 days);
        _within("auditFee", terms.auditFee, 0, 1 ether);
        _within("submitFee", terms.submitFee, 0, 1 ether);
        _within("slashCeiling", terms.slashCeiling, 1, 1e9 ether);
    }

    function _within(string memory parameter, uint256 value, uint256 least, uint256 most) private pure {
        if (value < least || value > most) revert IGoverned.ParameterOutOfBounds(parameter, value, least, most);
    }
}
