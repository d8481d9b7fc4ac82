// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {EscrowHashes} from "../../contracts/libraries/EscrowHashes.sol";
import {JobMath} from "../../contracts/libraries/JobMath.sol";
import {RewardMath} from "../../contracts/libraries/RewardMath.sol";
import {SharePool} from "../../contracts/libraries/SharePool.sol";

/// @title Formulas: every formula of the contracts, many cases a call
/// @notice Each function takes cases of a fixed number of words and returns their results in a row.
contract Formulas {
    using SharePool for SharePool.Pool;

    function reserve(uint256[4][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            uint256[4] calldata c = cases[i];
            out[i] = JobMath.priceOf(uint32(c[0]), uint96(c[1]), uint32(c[2]), uint96(c[3]));
        }
    }

    function fee(uint256[2][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            out[i] = JobMath.feeOf(cases[i][0], cases[i][1]);
        }
    }

    function neededStake(uint256[4][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            uint256[4] calldata c = cases[i];
            out[i] = JobMath.neededStake(c[0], c[1], c[2], c[3]);
        }
    }

    function condemned(uint256[2][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            out[i] = JobMath.condemnedOf(cases[i][0], cases[i][1]);
        }
    }

    function coverage(uint256[3][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            out[i] = JobMath.coverageOf(cases[i][0], cases[i][1], cases[i][2]);
        }
    }

    function slashPart(uint256[2][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            out[i] = SharePool.partOf(uint96(cases[i][0]), uint16(cases[i][1]));
        }
    }

    function sharesFor(uint256[3][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            out[i] = _pool(cases[i][0], cases[i][1]).sharesFor(cases[i][2]);
        }
    }

    function amountFor(uint256[3][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            out[i] = _pool(cases[i][0], cases[i][1]).amountFor(cases[i][2]);
        }
    }

    function leastEntry(uint256[2][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            out[i] = _pool(cases[i][0], cases[i][1]).leastEntry();
        }
    }

    /// @return out Tokens, shares and scale of each reduced pool.
    function reduced(uint256[3][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length * 3);
        for (uint256 i; i < cases.length; ++i) {
            SharePool.Pool memory pool = _pool(cases[i][0], cases[i][1]);
            pool.reduce(uint96(cases[i][2]));
            (out[i * 3], out[i * 3 + 1], out[i * 3 + 2]) = (pool.tokens, pool.shares, pool.scale);
        }
    }

    function rescaled(uint256[3][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            SharePool.Pool memory pool;
            pool.scale = uint16(cases[i][1]);
            out[i] = pool.rescaled(uint128(cases[i][0]), uint16(cases[i][2]));
        }
    }

    function scheduled(uint256[3][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            out[i] = RewardMath.scheduled(cases[i][0], cases[i][1], cases[i][2]);
        }
    }

    function promised(uint256[3][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            out[i] = RewardMath.promised(cases[i][0], cases[i][1], cases[i][2]);
        }
    }

    function reward(uint256[4][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            uint256[4] calldata c = cases[i];
            out[i] = RewardMath.reward(c[0], c[1], c[2], c[3]);
        }
    }

    function delegatorsPart(uint256[4][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            uint256[4] calldata c = cases[i];
            out[i] = RewardMath.delegatorsPart(c[0], c[1], c[2], c[3]);
        }
    }

    /// @notice Head, calls in flight, number of links (at most three), and the links.
    function claimedHead(uint256[6][] calldata cases) external pure returns (uint256[] memory out) {
        out = new uint256[](cases.length);
        for (uint256 i; i < out.length; ++i) {
            uint256[6] calldata c = cases[i];
            bytes32[] memory links = new bytes32[](c[2]);
            for (uint256 k; k < links.length; ++k) {
                links[k] = bytes32(c[3 + k]);
            }
            out[i] = uint256(EscrowHashes.claimedHead(bytes32(c[0]), bytes32(c[1]), links));
        }
    }

    function _pool(uint256 tokens, uint256 shares) private pure returns (SharePool.Pool memory pool) {
        (pool.tokens, pool.shares) = (uint96(tokens), uint128(shares));
    }
}
