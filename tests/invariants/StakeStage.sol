// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {MallaToken} from "../../contracts/MallaToken.sol";
import {Staking} from "../../contracts/Staking.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {Base} from "./Base.sol";

/// @title A Staking whose escrow, court, rewards and timelock are the test itself
abstract contract StakeStage is Base {
    uint32 internal constant DELAY = 10 days;
    uint256 internal constant PROVIDERS = 2;
    uint256 internal constant DELEGATORS = 3;

    MallaToken internal token;
    Staking internal staking;
    address[] internal providers;
    address[] internal delegators;
    uint96 internal rewardOnSettle;
    address internal settledFor;
    uint256 internal getMinDelay = 60 days;
    uint256 internal longestWay = 5 days;
    uint32 internal rulingWindow = 1 days;

    fallback(bytes calldata data) external returns (bytes memory) {
        bytes4 name = bytes4(data);
        if (name == bytes4(keccak256("getMinDelay()"))) return abi.encode(getMinDelay);
        if (name == bytes4(keccak256("longestWay()"))) return abi.encode(longestWay);
        if (name == bytes4(keccak256("rulingWindow()"))) return abi.encode(rulingWindow);
        if (name == bytes4(keccak256("settleRewards(address)"))) {
            settledFor = abi.decode(data[4:], (address));
            uint96 amount = rewardOnSettle;
            rewardOnSettle = 0;
            if (amount != 0) reward(settledFor, amount);
            return abi.encode(amount);
        }
        revert("unknown call");
    }

    function deployStage() internal {
        IMallaToken.Allocation[] memory genesis = new IMallaToken.Allocation[](1);
        genesis[0] = IMallaToken.Allocation(address(this), 5e26);
        token = new MallaToken(genesis, address(this));
        staking = new Staking(
            IStaking.StakingWiring(token, address(this), address(this), address(this), address(this)),
            DELAY,
            4,
            address(this)
        );
        for (uint256 i; i < PROVIDERS; ++i) {
            providers.push(enrol(1 + i));
        }
        for (uint256 i; i < DELEGATORS; ++i) {
            delegators.push(fund(vm.addr(200 + i)));
        }
    }

    function enrol(uint256 key) internal returns (address owner) {
        owner = enrolSilently(key);
        vm.prank(owner);
        staking.setCommission(1_000);
    }

    /// @notice A provider that names no commission, so that nobody can delegate to it.
    function enrolSilently(uint256 key) internal returns (address owner) {
        owner = fund(vm.addr(key));
        vm.prank(owner);
        staking.register(vm.addr(1000 + key), bytes32(uint256(1)), 0, consent(owner, 1000 + key));
    }

    function consent(address owner, uint256 nodeKey) internal view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Malla"),
                keccak256("1"),
                block.chainid,
                address(staking)
            )
        );
        bytes32 message =
            keccak256(abi.encode(keccak256("NodeKey(address provider,address nodeKey)"), owner, vm.addr(nodeKey)));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(nodeKey, keccak256(abi.encodePacked("\x19\x01", domain, message)));
        return abi.encodePacked(r, s, v);
    }

    function fund(address who) internal returns (address) {
        token.transfer(who, 1e25);
        vm.prank(who);
        token.approve(address(staking), type(uint256).max);
        return who;
    }

    function reward(address provider, uint96 amount) internal {
        token.mint(address(staking), amount);
        staking.addDelegationReward(provider, amount);
    }

    /// @notice The call is refused with exactly this error.
    function refuses(address who, bytes memory call, bytes memory refusal) internal {
        vm.prank(who);
        (bool done, bytes memory answer) = address(staking).call(call);
        _assertTrue(!done, "refused");
        _assertEq(keccak256(answer), keccak256(refusal), "the error and its operands");
    }
}
