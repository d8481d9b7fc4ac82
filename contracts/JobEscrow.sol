// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Convictions} from "./escrow/Convictions.sol";
import {Defaults} from "./escrow/Defaults.sol";
import {Terms} from "./escrow/Terms.sol";
import {IMallaToken} from "./interfaces/IMallaToken.sol";
import {IOracleCommittee} from "./interfaces/IOracleCommittee.sol";
import {IStaking} from "./interfaces/IStaking.sol";

/// @title JobEscrow: every way in and out of a requester's money
/// @notice The manual is `IJobEscrow`. The parts lie in `escrow/`, one noun a file: terms, balances, offers, jobs,
/// batches, and the three ends of a batch: settlements, defaults, convictions.
/// @dev Nothing here can be changed, paused or owned.
contract JobEscrow is Defaults, Convictions {
    /// @param token_ What is paid in.
    /// @param staking_ Must name this contract as its escrow.
    /// @param committee_ Signs settlements and storage receipts.
    /// @param terms Fixed for good; each inside hard bounds.
    constructor(IMallaToken token_, IStaking staking_, IOracleCommittee committee_, Parameters memory terms)
        EIP712("Malla", "1")
        Terms(token_, staking_, committee_, terms)
    {}
}
