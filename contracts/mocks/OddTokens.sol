// SPDX-License-Identifier: Apache-2.0
// Each is a line or two, and one calls back: side by side they are read at once.
// solhint-disable one-contract-per-file, avoid-low-level-calls
pragma solidity ^0.8.35;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IMallaToken} from "../interfaces/IMallaToken.sol";

/// @title OddToken: a token that behaves until it is told to be odd
/// @notice For tests only: what happens to our contracts if they were deployed with a token that is not ours.
abstract contract OddToken is ERC20 {
    uint256 public constant cap = 1e9 ether; // solhint-disable-line const-name-snakecase
    uint256 public immutable genesisSupply;
    address public immutable minter;
    bool public isOdd;

    constructor(IMallaToken.Allocation[] memory genesis, address minter_) ERC20("Odd", "ODD") {
        minter = minter_;
        for (uint256 i; i < genesis.length; ++i) {
            _mint(genesis[i].to, genesis[i].amount);
        }
        genesisSupply = totalSupply();
    }

    function turnOdd() external {
        isOdd = true;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function burn(uint256 amount) external {
        _burn(msg.sender, amount);
    }
}

/// @notice Keeps a hundredth of what moves.
contract FeeToken is OddToken {
    constructor(IMallaToken.Allocation[] memory genesis, address minter_) OddToken(genesis, minter_) {}

    function _update(address from, address to, uint256 value) internal override {
        if (isOdd && from != address(0) && to != address(0)) {
            super._update(from, address(0), value / 100);
            value -= value / 100;
        }
        super._update(from, to, value);
    }
}

/// @notice Moves nothing and says so by `false` only.
contract FalseToken is OddToken {
    constructor(IMallaToken.Allocation[] memory genesis, address minter_) OddToken(genesis, minter_) {}

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        return isOdd ? false : super.transferFrom(from, to, value);
    }
}

/// @notice Returns nothing at all.
contract SilentToken is OddToken {
    constructor(IMallaToken.Allocation[] memory genesis, address minter_) OddToken(genesis, minter_) {}

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        super.transferFrom(from, to, value);
        if (!isOdd) return true;
        assembly {
            return(0, 0)
        }
    }
}

/// @notice Refuses to move nothing.
contract NeverZeroToken is OddToken {
    error NothingMoves();

    constructor(IMallaToken.Allocation[] memory genesis, address minter_) OddToken(genesis, minter_) {}

    function _update(address from, address to, uint256 value) internal override {
        if (isOdd && value == 0) revert NothingMoves();
        super._update(from, to, value);
    }
}

/// @notice Counts in millionths.
contract SixDecimalsToken is OddToken {
    constructor(IMallaToken.Allocation[] memory genesis, address minter_) OddToken(genesis, minter_) {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

/// @notice Counts in parts of 1e27.
contract ManyDecimalsToken is OddToken {
    constructor(IMallaToken.Allocation[] memory genesis, address minter_) OddToken(genesis, minter_) {}

    function decimals() public pure override returns (uint8) {
        return 27;
    }
}

/// @notice Pays nothing to one account.
contract BlacklistToken is OddToken {
    address public blocked;

    error Blocked(address account);

    constructor(IMallaToken.Allocation[] memory genesis, address minter_) OddToken(genesis, minter_) {}

    function block_(address account) external {
        blocked = account;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (isOdd && to == blocked) revert Blocked(to);
        super._update(from, to, value);
    }
}

/// @notice Moves nothing while it is stopped.
contract StoppedToken is OddToken {
    error Stopped();

    constructor(IMallaToken.Allocation[] memory genesis, address minter_) OddToken(genesis, minter_) {}

    function _update(address from, address to, uint256 value) internal override {
        if (isOdd) revert Stopped();
        super._update(from, to, value);
    }
}

/// @notice Calls one account back before each transfer (as ERC-777 does).
contract CallingToken is OddToken {
    address public listener;

    constructor(IMallaToken.Allocation[] memory genesis, address minter_) OddToken(genesis, minter_) {}

    function callBack(address account) external {
        listener = account;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (isOdd && listener != address(0)) {
            (bool done,) = listener.call(abi.encodeWithSignature("tokenMoves()"));
            if (!done) isOdd = false;
        }
        super._update(from, to, value);
    }
}
