// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IJobEscrow} from "../interfaces/IJobEscrow.sol";
import {IMallaToken} from "../interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../interfaces/IOracleCommittee.sol";
import {IStaking} from "../interfaces/IStaking.sol";

/// @title Terms: the escrow's parameters and the contracts that it works with
/// @dev Everything here is fixed by the constructor and read from code, never from storage.
abstract contract Terms is IJobEscrow {
    IMallaToken internal immutable _token;
    IStaking internal immutable _staking;
    IOracleCommittee internal immutable _committee;

    uint96 internal immutable _openFee;
    uint16 internal immutable _feeBps;
    uint16 internal immutable _slashBps;
    uint16 internal immutable _detectionBps;
    uint16 internal immutable _auditBps;
    uint32 internal immutable _startWindow;
    uint32 internal immutable _cancelDelay;
    uint32 internal immutable _maxDuration;
    uint32 internal immutable _openWindow;
    uint32 internal immutable _maturityWindow;
    uint32 internal immutable _evidenceWindow;
    uint32 internal immutable _appealWindow;
    uint16 internal immutable _drawDelay;

    constructor(IMallaToken token_, IStaking staking_, IOracleCommittee committee_, Parameters memory terms) {
        _requireBounds("openFee", terms.openFee, 0, 1 ether);
        _requireBounds("feeBps", terms.feeBps, 0, 2_000);
        _requireBounds("slashBps", terms.slashBps, 100, 10_000);
        _requireBounds("detectionBps", terms.detectionBps, 100, 9_999);
        _requireBounds("auditBps", terms.auditBps, 100, 10_000);
        _requireBounds("startWindow", terms.startWindow, 5, 1 days);
        _requireBounds("cancelDelay", terms.cancelDelay, 5, 1 days);
        _requireBounds("maxDuration", terms.maxDuration, 5, 7 days);
        _requireBounds("maturityWindow", terms.maturityWindow, 5, 30 days);
        _requireBounds("openWindow", terms.openWindow, 5, terms.maturityWindow);
        _requireBounds("evidenceWindow", terms.evidenceWindow, 5, 7 days);
        _requireBounds("appealWindow", terms.appealWindow, 5, 14 days);
        // A block can read the hashes of the last 256 only; half of that is left for reading it.
        _requireBounds("drawDelay", terms.drawDelay, 1, 128);
        _requireWiring(staking_, committee_, terms);

        _token = token_;
        _staking = staking_;
        _committee = committee_;
        _openFee = terms.openFee;
        _feeBps = terms.feeBps;
        _slashBps = terms.slashBps;
        _detectionBps = terms.detectionBps;
        _auditBps = terms.auditBps;
        _startWindow = terms.startWindow;
        _cancelDelay = terms.cancelDelay;
        _maxDuration = terms.maxDuration;
        _openWindow = terms.openWindow;
        _maturityWindow = terms.maturityWindow;
        _evidenceWindow = terms.evidenceWindow;
        _appealWindow = terms.appealWindow;
        _drawDelay = terms.drawDelay;
    }

    /// @inheritdoc IJobEscrow
    function parameters() external view returns (Parameters memory terms) {
        terms.openFee = _openFee;
        terms.feeBps = _feeBps;
        terms.slashBps = _slashBps;
        terms.detectionBps = _detectionBps;
        terms.auditBps = _auditBps;
        terms.startWindow = _startWindow;
        terms.cancelDelay = _cancelDelay;
        terms.maxDuration = _maxDuration;
        terms.openWindow = _openWindow;
        terms.maturityWindow = _maturityWindow;
        terms.evidenceWindow = _evidenceWindow;
        terms.appealWindow = _appealWindow;
        terms.drawDelay = _drawDelay;
    }

    /// @inheritdoc IJobEscrow
    function token() external view returns (address) {
        return address(_token);
    }

    /// @inheritdoc IJobEscrow
    function staking() external view returns (address) {
        return address(_staking);
    }

    /// @inheritdoc IJobEscrow
    function committee() external view returns (address) {
        return address(_committee);
    }

    /// @dev Stake that could leave before the longest way of a batch is over would deter nobody.
    function _requireWiring(IStaking staking_, IOracleCommittee committee_, Parameters memory terms) private view {
        if (staking_.escrow() != address(this)) revert NotWiredTo(address(staking_));
        uint256 longest = uint256(terms.maturityWindow) + terms.evidenceWindow + terms.appealWindow + terms.maxDuration;
        _requireBounds("unstakeDelay", staking_.unstakeDelay(), longest, type(uint32).max);
        _requireBounds("stakeDelay", committee_.stakeDelay(), longest, type(uint32).max);
    }

    function _requireBounds(string memory parameter, uint256 value, uint256 least, uint256 most) private pure {
        if (value < least || value > most) revert ParameterOutOfBounds(parameter, value, least, most);
    }
}
