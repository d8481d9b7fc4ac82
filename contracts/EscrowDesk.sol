// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {EscrowBase} from "./escrow/EscrowBase.sol";
import {Sessions} from "./escrow/Sessions.sol";
import {TermsDesk} from "./escrow/TermsDesk.sol";

/// @title EscrowDesk: the part of the escrow's code for sessions, sub-keys and terms
/// @notice The manuals are `IEscrowSessions` and `IEscrowTerms`. It runs in `JobEscrow`'s place; its own storage is
/// empty and it never holds a coin.
contract EscrowDesk is TermsDesk, Sessions {
    constructor(Wiring memory parts) EscrowBase(parts) {}
}
