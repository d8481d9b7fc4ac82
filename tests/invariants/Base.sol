// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

/// @notice The cheat codes of Forge that our tests use; npm carries no usable forge-std.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function deal(address account, uint256 balance) external;
    function roll(uint256 height) external;
    function warp(uint256 timestamp) external;
    function setBlockhash(uint256 height, bytes32 hash) external;
    function prevrandao(bytes32 value) external;
    function assume(bool condition) external pure;
    function expectRevert() external;
    function expectRevert(bytes4 selector) external;
    function expectRevert(bytes calldata data) external;
    function expectPartialRevert(bytes4 selector) external;
    function mockCall(address target, bytes calldata data, bytes calldata answer) external;
    function getNonce(address account) external view returns (uint64);
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data) external;
    function label(address account, string calldata name) external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function store(address target, bytes32 slot, bytes32 value) external;
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool done);
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256 gas);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
    function toString(uint256 value) external pure returns (string memory);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
}

/// @title What every Forge test of Malla inherits
/// @dev Forge calls each function that starts with `test` or `invariant`. A handler registers itself with
/// `_target`; without a target Forge would call every contract that setUp deployed, tokens included.
abstract contract Base {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    // forge-lint: disable-next-line(screaming-snake-case-const)
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    // Forge recognises a test contract by this name.
    // forge-lint: disable-next-line(mixed-case-function)
    bool public constant IS_TEST = true;

    address[] private _targets;
    FuzzSelector[] private _selectors;

    error NotEqual(string what, uint256 left, uint256 right);
    error NotEqualAddress(string what, address left, address right);
    error NotEqualBytes32(string what, bytes32 left, bytes32 right);
    error NotAtMost(string what, uint256 left, uint256 right);
    error NotTrue(string what);

    /// @notice Forge asks for the contracts that an invariant campaign may call.
    function targetContracts() external view returns (address[] memory) {
        return _targets;
    }

    /// @notice Forge asks for the functions that an invariant campaign may call; none means all of a target.
    function targetSelectors() external view returns (FuzzSelector[] memory) {
        return _selectors;
    }

    function _target(address handler) internal {
        _targets.push(handler);
    }

    function _target(address handler, bytes4[] memory selectors) internal {
        _targets.push(handler);
        _selectors.push(FuzzSelector({addr: handler, selectors: selectors}));
    }

    function _assertEq(uint256 left, uint256 right, string memory what) internal pure {
        if (left != right) revert NotEqual(what, left, right);
    }

    function _assertEq(address left, address right, string memory what) internal pure {
        if (left != right) revert NotEqualAddress(what, left, right);
    }

    function _assertEq(bytes32 left, bytes32 right, string memory what) internal pure {
        if (left != right) revert NotEqualBytes32(what, left, right);
    }

    function _assertLe(uint256 left, uint256 right, string memory what) internal pure {
        if (left > right) revert NotAtMost(what, left, right);
    }

    function _assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    /// @notice Maps any fuzzed number into [low, high], both included.
    function _bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        if (value >= low && value <= high) return value;
        uint256 span = high - low + 1;
        return span == 0 ? value : low + value % span;
    }
}
