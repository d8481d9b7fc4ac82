// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

/// @title IGoverned: parameters that only governance changes, each inside hard bounds
interface IGoverned {
    error OnlyGovernor(address caller);
    error ParameterOutOfBounds(string parameter, uint256 value, uint256 least, uint256 most);
    error NotWiredTo(address contractAddress);

    /// @notice The timelock; fixed by the constructor.
    function governor() external view returns (address);
}
