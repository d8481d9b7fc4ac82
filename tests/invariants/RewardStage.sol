// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {MallaToken} from "../../contracts/MallaToken.sol";
import {Rewards} from "../../contracts/Rewards.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {Base} from "./Base.sol";

/// @title What rewards ask of the staking contract, and nothing else
contract RewardStakingStub {
    uint16 private _commissionBps;
    uint96 private _own;
    uint96 private _delegated;
    uint256 private _pooled;
    IMallaToken private immutable _token;
    mapping(address provider => uint256) public pool;

    constructor(IMallaToken token) {
        _token = token;
    }

    function set(uint16 commissionBps, uint96 own, uint96 delegated) external {
        (_commissionBps, _own, _delegated) = (commissionBps, own, delegated);
    }

    function addDelegationReward(address provider, uint96 amount) external {
        pool[provider] += amount;
        _pooled += amount;
        require(_token.balanceOf(address(this)) >= _pooled, "told before it was paid");
    }

    function rewardSplit(address) external view returns (uint16, uint96, uint96) {
        return (_commissionBps, _own, _delegated);
    }
}

/// @title Rewards with a token and a stand-in for staking; the test is their escrow and governor
abstract contract RewardStage is Base {
    uint256 internal constant GENESIS = 1e8 ether;

    MallaToken internal _token;
    RewardStakingStub internal _staking;
    Rewards internal _rewards;

    function _deploy(IRewards.Schedule memory schedule, uint16 betaBps) internal {
        _deploy(address(this), address(1), address(this), schedule, betaBps);
    }

    /// @param staking The stand-in for address 1.
    function _deploy(
        address escrow,
        address staking,
        address governor,
        IRewards.Schedule memory schedule,
        uint16 betaBps
    ) internal {
        Nest nest = new Nest();
        IMallaToken.Allocation[] memory genesis = new IMallaToken.Allocation[](1);
        genesis[0] = IMallaToken.Allocation(address(this), GENESIS);
        _token = new MallaToken(genesis, nest.egg());
        _staking = new RewardStakingStub(IMallaToken(address(_token)));
        if (staking == address(1)) staking = address(_staking);
        _rewards = nest.hatch(IMallaToken(address(_token)), escrow, staking, governor, schedule, betaBps);
    }
}

/// @title Deploys one contract, whose address is known before
contract Nest {
    function hatch(
        IMallaToken token,
        address escrow,
        address staking,
        address governor,
        IRewards.Schedule calldata schedule,
        uint16 betaBps
    ) external returns (Rewards) {
        return new Rewards(token, escrow, staking, governor, schedule, betaBps);
    }

    /// @notice keccak(rlp([this, 1])).
    function egg() external view returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", address(this), hex"01")))));
    }
}
