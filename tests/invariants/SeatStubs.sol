// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IEscrowBatches} from "../../contracts/interfaces/escrow/IEscrowBatches.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";

/// @title What the committee asks of an escrow and of a court, and nothing else
contract EscrowStandIn {
    uint256 public coverage;
    uint256 public refreshed;
    uint32 public rulingWindow = 1_000;
    uint256 public longestWay = 5_000;
    mapping(uint64 batchId => uint40) public openedAt;

    function refreshCoverage() external {
        coverage = IOracleCommittee(msg.sender).cover();
        ++refreshed;
    }

    function open(uint64 batchId) external {
        openedAt[batchId] = uint40(block.timestamp);
    }

    function wiring() external view returns (IEscrowTerms.Wiring memory parts) {
        parts.court = address(this);
    }

    function freezeOf(uint64 batchId) external view returns (IEscrowBatches.Freeze memory its) {
        its.openedAt = openedAt[batchId];
    }

    function settlementDigest(uint16 setVersion, IEscrowBatches.Decision[] calldata decisions)
        external
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(address(this), setVersion, decisions));
    }
}
