// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {Balances} from "./escrow/Balances.sol";
import {Batches} from "./escrow/Batches.sol";
import {EscrowBase} from "./escrow/EscrowBase.sol";
import {TermsBook} from "./escrow/TermsBook.sol";
import {IDisputeCourt} from "./interfaces/IDisputeCourt.sol";
import {IGuarded} from "./interfaces/IGuarded.sol";
import {IMallaToken} from "./interfaces/IMallaToken.sol";
import {IOracleCommittee} from "./interfaces/IOracleCommittee.sol";
import {IRewards} from "./interfaces/IRewards.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {IEscrowEnds} from "./interfaces/escrow/IEscrowEnds.sol";
import {IEscrowTerms} from "./interfaces/escrow/IEscrowTerms.sol";

/// @title JobEscrow: every way in and out of a requester's money
/// @notice The manual is `IJobEscrow`, which is the interface of this address. The parts lie in `escrow/`, one noun a
/// file. Here are balances, jobs and commitments; a call for sessions and terms runs the code of `EscrowDesk`, one for
/// the end of a batch that of `EscrowEnds`, both on this contract's storage.
/// @dev The code would not fit one contract (EIP-170). The two parts are fixed by the constructor, like libraries, so
/// nothing can be upgraded; a test holds their storage, and the selectors of the three, against each other. Governance
/// changes terms for what begins later; the guardian pauses openings; nobody else has power.
contract JobEscrow is Balances, Batches {
    address private immutable _desk;
    address private immutable _ends;

    /// @param desk An `EscrowDesk` with the same wiring.
    /// @param ends An `EscrowEnds` with the same wiring.
    constructor(
        IEscrowTerms.Wiring memory parts,
        IEscrowTerms.Parameters memory terms,
        address guardian,
        address desk,
        address ends
    ) EscrowBase(parts) {
        if (IStaking(parts.staking).escrow() != address(this)) revert NotWiredTo(parts.staking);
        if (IStaking(parts.staking).court() != parts.court) revert NotWiredTo(parts.staking);
        if (IDisputeCourt(parts.court).escrow() != address(this)) revert NotWiredTo(parts.court);
        if (IMallaToken(parts.token).minter() != parts.rewards) revert NotWiredTo(parts.token);
        if (IOracleCommittee(parts.committee).escrow() != address(this)) revert NotWiredTo(parts.committee);
        if (IRewards(parts.rewards).escrow() != address(this)) revert NotWiredTo(parts.rewards);
        bytes32 wiring = keccak256(abi.encode(parts));
        if (keccak256(abi.encode(IEscrowTerms(desk).wiring())) != wiring) revert NotWiredTo(desk);
        if (keccak256(abi.encode(IEscrowEnds(ends).partWiring())) != wiring) revert NotWiredTo(ends);
        _desk = desk;
        _ends = ends;
        _state.guardian = guardian;
        emit IGuarded.GuardianChanged(guardian);
        TermsBook.set(_state, parts, terms);
    }

    /// @dev Runs the part that has the function; a selector that no part has reverts there.
    // It does one thing, and each of its steps is that thing.
    // solhint-disable-next-line no-complex-fallback
    fallback() external {
        address part = _isEnd(msg.sig) ? _ends : _desk;
        // Overwrites all memory, which nothing reads again.
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), part, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(done) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }

    function _isEnd(bytes4 selector) private pure returns (bool) {
        return selector == IEscrowEnds.settle.selector || selector == IEscrowEnds.forfeit.selector
            || selector == IEscrowEnds.matureByDefault.selector || selector == IEscrowEnds.recordStored.selector
            || selector == IEscrowEnds.postOpenings.selector || selector == IEscrowEnds.holdFreeze.selector
            || selector == IEscrowEnds.releaseFreeze.selector || selector == IEscrowEnds.convict.selector
            || selector == IEscrowEnds.requireBatch.selector || selector == IEscrowEnds.condemnedInEpoch.selector
            || selector == IEscrowEnds.settlementDigest.selector
            || selector == IEscrowEnds.storageReceiptDigest.selector || selector == IEscrowEnds.partWiring.selector;
    }
}
