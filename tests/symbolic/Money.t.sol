// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {JobMath} from "../../contracts/libraries/JobMath.sol";
import {RewardMath} from "../../contracts/libraries/RewardMath.sol";

/// @title What holds for every number: prices, fees, the deterrence bound, rewards
/// @dev Halmos proves each `check_` function for all arguments that pass its guards; a broken property is an `assert`
/// that fails. Amounts are unknown over their whole width; shares are those of the profiles, because a product of two
/// unknowns under a division is more than a solver decides in a minute (the fuzz tests vary both).
contract MoneyProofs {
    uint256 private constant BPS = 10_000;

    /// @notice R4: the fee is the share rounded down, never more than the payment, and payout + fee = payment.
    function check_fee__is_the_floor_and_sums_to_the_payment(uint96 payment) public pure {
        uint256 fee = JobMath.feeOf(payment, 500);
        assert(fee * BPS <= uint256(payment) * 500);
        assert(fee * BPS + BPS > uint256(payment) * 500);
        assert(fee <= payment && fee + (payment - fee) == payment);
    }

    /// @notice R4: no price overflows, and each is the sum of its two products.
    function check_price__never_overflows(uint32 input, uint96 inputPrice, uint32 output, uint96 outputPrice)
        public
        pure
    {
        uint256 price = JobMath.priceOf(input, inputPrice, output, outputPrice);
        assert(price < 1 << 129);
        if (input != 0 && output != 0) assert(price >= inputPrice && price >= outputPrice);
    }

    /// @notice R9: with the needed stake no cheat on one unit pays: what it loses by chance is at least what it gains.
    function check_needed_stake__leaves_no_profitable_cheat(uint64 price) public pure {
        // The terms of the design: half of the stake, a tenth to the challenger, one conviction in twenty.
        uint256 stake = JobMath.neededStake(price, 5_000, 1_000, 500);
        assert(stake * 5_000 * 9_000 * 500 >= uint256(price) * 9_500 * 1e8);
        if (stake != 0) assert((stake - 1) * 5_000 * 9_000 * 500 < uint256(price) * 9_500 * 1e8);
    }

    /// @notice R9: a dearer unit never needs less.
    function check_needed_stake__grows_with_the_price(uint64 price, uint64 more) public pure {
        if (more < price) return;
        assert(JobMath.neededStake(more, 5_000, 1_000, 500) >= JobMath.neededStake(price, 5_000, 1_000, 500));
    }

    /// @notice R19: a conviction condemns at most the stake, and nothing only of nothing.
    function check_condemned__is_at_most_the_stake_and_never_nothing(uint96 stake) public pure {
        uint256 amount = JobMath.condemnedOf(stake, 5_000);
        assert(amount <= stake);
        assert(amount * BPS >= uint256(stake) * 5_000);
        if (stake != 0) assert(amount != 0);
    }

    /// @notice R49: what is covered never exceeds the cover less the shares, whatever the sizes.
    function check_coverage__is_never_more_than_the_cover(uint96 cover, uint96 ceiling) public pure {
        uint256 covered = uint256(JobMath.coverageOf(cover, 1_000, ceiling)) * 1 gwei;
        assert(covered <= cover);
    }

    /// @notice R60: a reward is at most beta of the own burn, so less than the burn.
    function check_reward__is_less_than_the_own_burn(uint96 burned, uint96 total, uint96 budget) public pure {
        if (burned > total || burned == 0) return;
        uint256 reward = RewardMath.reward(burned, total, budget, 9_000);
        assert(reward <= uint256(burned) * 9_000 / BPS);
        assert(reward < burned);
    }

    /// @notice R60: what an epoch sets aside is at most its budget, and at most beta of its burn.
    function check_promised__is_within_both_bounds(uint96 burned, uint96 budget) public pure {
        if (burned == 0) return;
        assert(RewardMath.promised(budget, burned, 5_000) <= budget);
        assert(RewardMath.promised(budget, burned, 5_000) <= uint256(burned) * 5_000 / BPS);
    }

    /// @notice R61: no budget is larger than the first, and one a halving later is half of it, rounded down.
    function check_budget__halves_and_never_grows(uint96 first) public pure {
        uint256 now_ = RewardMath.scheduled(first, 100, 199);
        assert(now_ <= first && RewardMath.scheduled(first, 100, 200) == now_ / 2);
        assert(RewardMath.scheduled(first, 100, 99) == first);
    }
}
