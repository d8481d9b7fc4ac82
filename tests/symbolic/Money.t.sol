// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {JobMath} from "../../contracts/libraries/JobMath.sol";
import {RewardMath} from "../../contracts/libraries/RewardMath.sol";

/// @title What holds for every number: prices, fees, the deterrence bound, rewards
/// @dev Halmos proves each `check_` function for all arguments that pass its guards; a broken property is an `assert`
/// that fails. Sizes are those that the contracts guarantee: amounts of uint96, shares of at most 10,000 bps.
contract MoneyProofs {
    uint256 private constant BPS = 10_000;
    /// @dev The token's cap.
    uint256 private constant MOST = 1e27;

    /// @notice R4: the fee is the share rounded down, never more than the payment, and payout + fee = payment.
    function check_fee__is_the_floor_and_sums_to_the_payment(uint96 payment, uint16 feeBps) public pure {
        if (feeBps > 2_000) return;
        uint256 fee = JobMath.feeOf(payment, feeBps);
        assert(fee * BPS <= uint256(payment) * feeBps);
        assert(fee * BPS + BPS > uint256(payment) * feeBps);
        assert(fee <= payment);
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
    function check_condemned__is_at_most_the_stake_and_never_nothing(uint96 stake, uint16 slashBps) public pure {
        if (slashBps == 0 || slashBps > BPS) return;
        uint256 amount = JobMath.condemnedOf(stake, slashBps);
        assert(amount <= stake);
        assert(amount * BPS >= uint256(stake) * slashBps);
        if (stake != 0) assert(amount != 0);
    }

    /// @notice R49: what is covered never exceeds the cover less the shares, whatever the sizes.
    function check_coverage__is_never_more_than_the_cover(uint96 cover, uint16 share, uint96 ceiling) public pure {
        if (share > 3_000) return;
        uint256 covered = uint256(JobMath.coverageOf(cover, share, ceiling)) * 1 gwei;
        assert(covered <= cover);
        if (covered != 0) assert(covered * BPS + uint256(ceiling) * share <= uint256(cover) * BPS);
    }

    /// @notice R60: a reward is at most beta of the own burn, so less than the burn.
    function check_reward__is_less_than_the_own_burn(uint96 burned, uint96 total, uint96 budget, uint16 beta)
        public
        pure
    {
        if (beta > 9_000 || burned > total || total == 0) return;
        uint256 reward = RewardMath.reward(burned, total, budget, beta);
        assert(reward * BPS <= uint256(burned) * beta);
        if (burned != 0) assert(reward < burned);
    }

    /// @notice R60: one provider alone earns at most the budget that the epoch set aside.
    function check_reward__of_one_alone__is_what_the_epoch_promised(uint64 burned, uint64 budget, uint16 beta)
        public
        pure
    {
        if (beta > 9_000 || burned == 0) return;
        assert(RewardMath.reward(burned, burned, budget, beta) <= RewardMath.promised(budget, burned, beta));
    }

    /// @notice R61: a budget never grows from one halving to the next.
    function check_budget__never_grows(uint96 first, uint32 halvings, uint32 epoch, uint32 later) public pure {
        if (halvings != 100 || later < epoch) return;
        assert(RewardMath.scheduled(first, halvings, later) <= RewardMath.scheduled(first, halvings, epoch));
    }
}
