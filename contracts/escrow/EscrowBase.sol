// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Governed} from "../governance/Governed.sol";
import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {IMallaToken} from "../interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../interfaces/IOracleCommittee.sol";
import {IRewards} from "../interfaces/IRewards.sol";
import {IStaking} from "../interfaces/IStaking.sol";
import {IEscrowTerms} from "../interfaces/escrow/IEscrowTerms.sol";
import {EscrowState} from "./EscrowState.sol";

/// @title EscrowBase: what the three parts of the escrow share
/// @dev `JobEscrow`, `EscrowDesk` and `EscrowEnds` have the same storage, which is this one struct, and the same
/// wiring. Only `JobEscrow` holds state and money; the code of the other two runs in its place (see `JobEscrow`).
abstract contract EscrowBase is Governed, EIP712 {
    IMallaToken internal immutable _token;
    IStaking internal immutable _staking;
    IOracleCommittee internal immutable _committee;
    IRewards internal immutable _rewards;
    IDisputeCourt internal immutable _court;

    EscrowState internal _state;

    constructor(IEscrowTerms.Wiring memory parts) Governed(parts.governor) EIP712("Malla", "1") {
        _token = IMallaToken(parts.token);
        _staking = IStaking(parts.staking);
        _committee = IOracleCommittee(parts.committee);
        _rewards = IRewards(parts.rewards);
        _court = IDisputeCourt(parts.court);
    }

    function _wiring() internal view returns (IEscrowTerms.Wiring memory) {
        return IEscrowTerms.Wiring(
            address(_token), address(_staking), address(_committee), address(_rewards), address(_court), governor
        );
    }
}
