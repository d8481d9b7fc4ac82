// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IGoverned} from "./IGoverned.sol";

/// @title IRewards: new tokens for work that burned tokens
/// @notice In epoch e with budget E and total burn W, a provider whose matured batches burned w earns
/// min(E * w / W, beta * w), rounded down. Since beta < 1, hiring oneself always loses. What is not earned is never
/// minted and never divided again. All sums of rewards stay under a hard cap.
/// @dev Budget and beta of an epoch are fixed by the first burn in it. Accrual is one slot a provider and one an epoch,
/// written while a batch matures: no units, no oracle, no Merkle tree. Both sides of the minimum are linear in w, so an
/// epoch has one rate for everybody.
interface IRewards is IGoverned {
    /// @param epochLength Seconds.
    /// @param firstBudget Wei of an epoch before the first halving.
    /// @param halvingEpochs Epochs from halving to halving.
    /// @param hardCap Most wei that may ever be earned.
    struct Schedule {
        uint32 epochLength;
        uint96 firstBudget;
        uint32 halvingEpochs;
        uint96 hardCap;
    }

    error OnlyEscrow(address caller);
    error NothingToClaim(address provider);

    event BurnAccrued(address indexed provider, uint64 indexed epoch, uint96 burned);
    event Earned(address indexed provider, uint64 indexed epoch, uint96 amount);
    /// @param toOwner Wei to the provider: its own share and its commission.
    /// @param toDelegators Wei added to its delegation pool.
    event RewardClaimed(address indexed provider, uint96 toOwner, uint96 toDelegators);
    event BetaChanged(uint16 betaBps);

    /// @notice Escrow: `burned` wei of fees of the provider's work are lost for good. Never reverts on any amount; what
    /// an epoch's total cannot hold (2^96 - 1) is not counted.
    function accrue(address provider, uint96 burned) external;

    /// @notice Anyone: pay what the provider earned in closed epochs, its delegators' part into their pool.
    /// @return amount Wei paid, both parts; reverts if there is nothing.
    function claim(address provider) external returns (uint96 amount);

    /// @notice `claim` that returns zero instead of reverting: whoever delegates calls it first, so that nobody buys
    /// into rewards of the past. Nothing at all happens when there is nothing to pay.
    function settleRewards(address provider) external returns (uint96 amount);

    /// @notice Governance: share of its own burn that a provider may earn back, 0 to 9,000. Counts from the next epoch
    /// whose first burn is still to come; no other reward changes.
    function setBeta(uint16 betaBps) external;

    /// @notice Whole epochs since this contract was deployed.
    function epoch() external view returns (uint64);
    function epochLength() external view returns (uint32);
    /// @notice Budget of an epoch: firstBudget halved every `halvingEpochs`, at most what the cap leaves after all that
    /// earlier epochs set aside. Of an epoch without a burn: what it would be now.
    function budgetOf(uint64 epoch) external view returns (uint96);
    function burnedIn(uint64 epoch) external view returns (uint96);
    function betaBps() external view returns (uint16);
    /// @notice Wei that a claim would pay now.
    function claimable(address provider) external view returns (uint96);
    /// @notice Wei earned so far by everybody whose closed epochs were added up, and wei minted: never more.
    function totals() external view returns (uint96 earned, uint96 minted);
    /// @notice Most wei that may ever be earned.
    function hardCap() external view returns (uint96);
    /// @notice Wei an epoch for passed GPU challenges: zero at launch, and nothing sets it.
    function capacityBudget() external view returns (uint96);
    function escrow() external view returns (address);
    function staking() external view returns (address);
}
