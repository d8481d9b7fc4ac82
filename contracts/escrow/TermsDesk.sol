// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IGuarded} from "../interfaces/IGuarded.sol";
import {IEscrowTerms} from "../interfaces/escrow/IEscrowTerms.sol";
import {EscrowBase} from "./EscrowBase.sol";
import {TermsBook} from "./TermsBook.sol";

/// @title TermsDesk: the escrow's parameters, its pause and the contracts that it works with
abstract contract TermsDesk is EscrowBase, IEscrowTerms {
    uint256 private constant LONGEST_PAUSE = 7 days;

    /// @inheritdoc IEscrowTerms
    function setTerms(Parameters calldata terms) external {
        _requireGovernor();
        TermsBook.set(_state, _wiring(), terms);
    }

    /// @inheritdoc IGuarded
    function setGuardian(address guardian_) external {
        _requireGovernor();
        _state.guardian = guardian_;
        emit GuardianChanged(guardian_);
    }

    /// @inheritdoc IGuarded
    function pause(uint40 until) external {
        if (msg.sender != _state.guardian && msg.sender != governor) revert OnlyGuardian(msg.sender);
        uint256 most = block.timestamp + LONGEST_PAUSE;
        if (until > most) revert PauseTooLong(until, most);
        _state.opening.pausedUntil = until;
        emit PauseChanged(until);
    }

    /// @inheritdoc IEscrowTerms
    function refreshCoverage() external {
        TermsBook.refreshCoverage(_state, _committee);
    }

    /// @inheritdoc IEscrowTerms
    function parameters() external view returns (Parameters memory) {
        return _state.terms[_state.opening.version];
    }

    /// @inheritdoc IEscrowTerms
    function parametersAt(uint16 version) external view returns (Parameters memory) {
        if (version == 0 || version > _state.opening.version) revert UnknownTermsVersion(version);
        return _state.terms[version];
    }

    /// @inheritdoc IEscrowTerms
    function termsVersion() external view returns (uint16) {
        return _state.opening.version;
    }

    /// @inheritdoc IGuarded
    function guardian() external view returns (address) {
        return _state.guardian;
    }

    /// @inheritdoc IGuarded
    function pausedUntil() external view returns (uint40) {
        return _state.opening.pausedUntil;
    }

    /// @inheritdoc IEscrowTerms
    function exposure() external view returns (uint256) {
        return _state.ledger.exposure;
    }

    /// @inheritdoc IEscrowTerms
    function coverage() external view returns (uint256) {
        return uint256(_state.ledger.coverage) * 1 gwei;
    }

    /// @inheritdoc IEscrowTerms
    function longestWay() external view returns (uint256) {
        return _state.longestWay;
    }

    /// @inheritdoc IEscrowTerms
    function wiring() external view returns (Wiring memory) {
        return _wiring();
    }
}
