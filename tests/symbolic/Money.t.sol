// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {JobMath} from "../../contracts/libraries/JobMath.sol";
import {RewardMath} from "../../contracts/libraries/RewardMath.sol";

/// @title What holds for every number: prices, budgets, rewards
/// @dev Halmos proves each `check_` function for all arguments that pass its guards; a broken property is an `assert`
/// that fails. Amounts are unknown over their whole width. What a division by 10,000 rounds to is left to the fuzz
/// tests (`JobMath.t.sol`): bit by bit it is more than a solver decides in a minute.
contract MoneyProofs {
    uint256 private constant BPS = 10_000;

    /// @notice R4: no price overflows, and each is the sum of its two products.
    function check_price__never_overflows(uint32 input, uint96 inputPrice, uint32 output, uint96 outputPrice)
        public
        pure
    {
        uint256 price = JobMath.priceOf(input, inputPrice, output, outputPrice);
        assert(price < 1 << 129);
        if (input != 0 && output != 0) assert(price >= inputPrice && price >= outputPrice);
    }

    /// @notice R60: a reward is at most beta of the own burn, whatever the budget.
    function check_reward__is_at_most_beta_of_the_own_burn(uint96 burned, uint96 total, uint96 budget, uint16 beta)
        public
        pure
    {
        if (beta > 9_000 || burned > total || total == 0) return;
        assert(RewardMath.reward(burned, total, budget, beta) <= uint256(burned) * beta / BPS);
    }

    /// @notice R60: and at most its share of the budget, whatever beta.
    function check_reward__is_at_most_its_share_of_the_budget(uint96 burned, uint96 total, uint96 budget, uint16 beta)
        public
        pure
    {
        if (beta > 9_000 || burned > total || total == 0) return;
        assert(RewardMath.reward(burned, total, budget, beta) <= uint256(budget) * burned / total);
    }

    /// @notice R64: without delegators everything is the provider's.
    function check_reward__without_delegators__is_the_providers(uint96 amount, uint16 commission, uint96 own)
        public
        pure
    {
        assert(RewardMath.delegatorsPart(amount, commission, own, 0) == 0);
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
