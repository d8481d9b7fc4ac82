// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {JobMath} from "../../contracts/libraries/JobMath.sol";
import {Base} from "./Base.sol";

/// @title Fees, prices, the deterrence bound and the coverage over their whole range
contract JobMathTest is Base {
    /// R4: the fee is rounded down, and by less than one wei.
    function test_fee__of_any_payment__is_the_floor_of_the_share(uint96 payment, uint16 bps) public pure {
        bps = uint16(_bound(bps, 0, 2_000));
        uint256 fee = JobMath.feeOf(payment, bps);
        _assertLe(fee * 10_000, uint256(payment) * bps, "not above the share");
        _assertLe(uint256(payment) * bps, fee * 10_000 + 9_999, "less than one wei below it");
    }

    /// @notice A batch's fee is never below the sum of its entries' fees, and above it by less than a wei an entry.
    function test_fee__of_a_batch__loses_less_dust_than_of_its_entries(uint96[8] memory amounts, uint16 bps)
        public
        pure
    {
        bps = uint16(_bound(bps, 0, 2_000));
        uint256 total;
        uint256 singly;
        for (uint256 i; i < 8; ++i) {
            total += amounts[i];
            singly += JobMath.feeOf(amounts[i], bps);
        }
        uint256 fee = JobMath.feeOf(total, bps);
        _assertLe(singly, fee, "entries' fees");
        _assertLe(fee, singly + 7, "dust");
    }

    /// R4: tokens times their prices.
    function test_price__of_any_job__is_exact(uint32 input, uint96 inputPrice, uint32 output, uint96 outputPrice)
        public
        pure
    {
        uint256 price = JobMath.priceOf(input, inputPrice, output, outputPrice);
        _assertEq(price, uint256(input) * inputPrice + uint256(output) * outputPrice, "price");
    }

    /// R9: `neededStake` is the least stake with slash * (1 - kappa) * chance >= gain * chance of getting away.
    function test_needed_stake__of_any_price__is_the_least_that_deters(
        uint96 price,
        uint16 slash,
        uint16 share,
        uint16 detection
    ) public pure {
        slash = uint16(_bound(slash, 100, 10_000));
        share = uint16(_bound(share, 0, 3_000));
        detection = uint16(_bound(detection, 100, 9_999));
        uint256 needed = JobMath.neededStake(price, slash, share, detection);
        _assertTrue(_deters(needed, price, slash, share, detection), "the needed stake deters");
        if (needed != 0) _assertTrue(!_deters(needed - 1, price, slash, share, detection), "a wei less does not");
    }

    function test_needed_stake__of_the_design__is_38_times_the_price(uint96 price) public pure {
        // One conviction in twenty, half of the stake, no share: 19 times the price, twice.
        _assertEq(JobMath.neededStake(price, 5_000, 0, 500), uint256(price) * 38, "38 r");
    }

    /// R49: what is covered is rounded down to gwei, and never negative.
    function test_coverage__of_any_cover__is_what_is_left_in_whole_gwei(uint96 cover, uint16 share, uint96 ceiling)
        public
        pure
    {
        share = uint16(_bound(share, 0, 3_000));
        uint256 shares = (uint256(ceiling) * share + 9_999) / 10_000;
        uint256 covered = uint256(JobMath.coverageOf(cover, share, ceiling)) * 1 gwei;
        if (shares >= cover) {
            _assertEq(covered, 0, "nothing is left");
        } else if (cover - shares < uint256(type(uint64).max) * 1 gwei) {
            _assertTrue(covered <= cover - shares && covered + 1 gwei > cover - shares, "rounded down to gwei");
        }
    }

    function _deters(uint256 stake, uint256 price, uint256 slash, uint256 share, uint256 detection)
        private
        pure
        returns (bool)
    {
        return slash * (10_000 - share) * detection * stake >= price * (10_000 - detection) * 1e8;
    }
}
