// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IGuarded} from "../IGuarded.sol";

/// @title IEscrowTerms: the escrow's parameters, the contracts that it works with, pause and value at risk
/// @notice Terms are versioned. A job, a session and a work batch keep the version under which they began, so a change
/// never reaches an open position. Only governance changes terms, each inside hard bounds; the guardian can stop new
/// jobs and sessions for a while, and nothing else.
interface IEscrowTerms is IGuarded {
    /// @param openFee Burned at each opening of a job or session, wei.
    /// @param feeBps Share of a payment that the escrow keeps at maturity, rounded down; what of it does not pay
    /// auditors and the submitter is burned.
    /// @param slashBps Share of the whole stake that one conviction takes.
    /// @param challengerBps Share of a slash that a successful disputer gets (kappa).
    /// @param detectionBps Probability that one audited unit of cheating is convicted, as the deterrence bound takes
    /// it.
    /// @param auditBps Probability that a leaf is drawn.
    /// @param drawDelay Blocks after the commitment whose hash enters the draw.
    /// @param startWindow Seconds after the opening in which the provider may decline.
    /// @param cancelDelay Seconds that a cancel leaves the provider to commit finished work.
    /// @param maxDuration Longest time from open to commit, seconds.
    /// @param openWindow Seconds after the commitment in which drawn leaves must be opened.
    /// @param lastChance Seconds that a provider has to post its openings on-chain after a quorum said NOT_OPENED.
    /// @param maturityWindow Seconds after the commitment at which the default begins (T_max).
    /// @param evidenceWindow Seconds after T_max in which storage receipts can still be recorded.
    /// @param appealWindow Seconds that a batch stays frozen before it can be forfeited.
    /// @param claimDelay Seconds in which a provider can still commit vouchers of a closing session or revoked key.
    /// @param maxSession Longest time until anyone may close a session, seconds.
    /// @param slashEpoch Seconds in which at most `slashCeiling` may be condemned.
    /// @param auditFee Wei for each oracle that a decision names as an auditor of the batch, whatever the outcome.
    /// @param submitFee Wei for the oracle whose turn it is when it submits the decision, a batch.
    /// @param slashCeiling Wei that freezes may condemn in one slash epoch; the first of an epoch always may.
    struct Parameters {
        uint64 openFee;
        uint16 feeBps;
        uint16 slashBps;
        uint16 challengerBps;
        uint16 detectionBps;
        uint16 auditBps;
        uint16 drawDelay;
        uint32 startWindow;
        uint32 cancelDelay;
        uint32 maxDuration;
        uint32 openWindow;
        uint32 lastChance;
        uint32 maturityWindow;
        uint32 evidenceWindow;
        uint32 appealWindow;
        uint32 claimDelay;
        uint32 maxSession;
        uint32 slashEpoch;
        uint96 auditFee;
        uint96 submitFee;
        uint96 slashCeiling;
    }

    /// @notice The contracts that the escrow works with; fixed by the constructor.
    /// @param governor The timelock: the only account that changes terms.
    struct Wiring {
        address token;
        address staking;
        address committee;
        address rewards;
        address court;
        address governor;
    }

    error OnlyCourt(address caller);
    error UnknownTermsVersion(uint256 version);
    /// @notice What a captured quorum could take would exceed what the oracles would lose (DESIGN 4, step 8).
    error ValueAtRisk(uint256 exposure, uint256 coverage);

    event TermsChanged(uint16 indexed version, Parameters terms);
    event CoverageChanged(uint256 coverage);

    /// @notice Governance: terms for everything that begins from now on.
    function setTerms(Parameters calldata terms) external;

    /// @notice Anyone: take over what the committee's stake covers now. The committee calls it at each change of its
    /// set.
    function refreshCoverage() external;

    function parameters() external view returns (Parameters memory);
    function parametersAt(uint16 version) external view returns (Parameters memory);
    function termsVersion() external view returns (uint16);
    /// @notice Prices of open jobs plus prices of entries in pending and frozen batches, wei.
    function exposure() external view returns (uint256);
    /// @notice quorum * seat stake / 2 - challengerBps * slashCeiling of the present set and terms, wei, rounded down
    /// to gwei; zero if negative.
    function coverage() external view returns (uint256);
    /// @notice Most seconds from the opening of anything under any terms so far to the last moment at which its
    /// provider can be slashed for it, without the court's ruling window.
    function longestWay() external view returns (uint256);
    function wiring() external view returns (Wiring memory);
}
