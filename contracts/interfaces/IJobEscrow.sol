// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBalances} from "./escrow/IEscrowBalances.sol";
import {IEscrowBatches} from "./escrow/IEscrowBatches.sol";
import {IEscrowEnds} from "./escrow/IEscrowEnds.sol";
import {IEscrowJobs} from "./escrow/IEscrowJobs.sol";
import {IEscrowSessions} from "./escrow/IEscrowSessions.sol";
import {IEscrowTerms} from "./escrow/IEscrowTerms.sol";

/// @title JobEscrow: every way in and out of a requester's money
/// @notice A requester deposits once and opens jobs and sessions from its balance. A job reserves its price, a session
/// a cap, for the one provider whose signed offer it carries. The provider is paid for work that it committed in a work
/// batch, after a quorum of oracles has said PASS; what was not used, and everything that was not delivered or not
/// computed as promised, returns to the requester and can go nowhere else.
/// @dev Every state that is not terminal has a deadline and an exit that anyone may call. Amounts are wei of
/// `MallaToken`, times are unix seconds, limits are half-open. The rules are numbered in docs/PROTOCOL.md. The manual
/// is one interface a noun, in `escrow/`.
// solhint-disable-next-line no-empty-blocks
interface IJobEscrow is IEscrowTerms, IEscrowBalances, IEscrowJobs, IEscrowSessions, IEscrowBatches, IEscrowEnds {}
