// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {Defaults} from "./escrow/Defaults.sol";
import {EscrowBase} from "./escrow/EscrowBase.sol";
import {Settlements} from "./escrow/Settlements.sol";
import {IEscrowEnds} from "./interfaces/escrow/IEscrowEnds.sol";
import {IEscrowTerms} from "./interfaces/escrow/IEscrowTerms.sol";

/// @title EscrowEnds: the part of the escrow's code for every way out of a work batch
/// @notice The manual is `IEscrowEnds`. It runs in `JobEscrow`'s place; its own storage is empty and it never holds a
/// coin.
contract EscrowEnds is Settlements, Defaults {
    constructor(IEscrowTerms.Wiring memory parts) EscrowBase(parts) {}

    /// @inheritdoc IEscrowEnds
    function partWiring() external view returns (IEscrowTerms.Wiring memory) {
        return _wiring();
    }
}
