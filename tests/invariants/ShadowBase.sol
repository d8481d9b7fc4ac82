// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

/// @title What a shadow found wrong, by the number of the invariant in the list of docs/INVARIANTS.md
/// @dev A shadow reads logs after a move and must not revert: the move would be undone, and the finding with it.
abstract contract ShadowBase {
    mapping(uint256 number => uint256) public found;
    mapping(uint256 number => string) public foundWhat;

    /// @notice Notes that invariant `number` does not hold unless `holds`.
    function note(uint256 number, bool holds, string memory what) public {
        if (holds) return;
        ++found[number];
        foundWhat[number] = what;
    }

    function _account(bytes32 topic) internal pure returns (address) {
        return address(uint160(uint256(topic)));
    }

    function _ceilShare(int256 amount, uint256 bps) internal pure returns (int256) {
        return (amount * int256(bps) + 9_999) / 10_000;
    }
}
