// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {JobEscrow} from "../../contracts/JobEscrow.sol";
import {MallaToken} from "../../contracts/MallaToken.sol";
import {OracleCommittee} from "../../contracts/OracleCommittee.sol";
import {Staking} from "../../contracts/Staking.sol";
import {IJobEscrow} from "../../contracts/interfaces/IJobEscrow.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {Vm} from "./Base.sol";

/// @title The four contracts with the numbers of the plan "test", and five actors: two requesters, two providers and
/// one who is neither. Four oracles hold the seats.
contract Stage {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    uint256 public constant GENESIS = 1e8 ether;
    uint256 public constant SEAT_STAKE = 5_000 ether;
    uint32 public constant DELAY = 6_860;

    MallaToken public immutable token;
    OracleCommittee public immutable committee;
    Staking public immutable staking;
    JobEscrow public immutable escrow;

    address[] public actors;
    address[] public oracles;
    mapping(address account => uint256) public keyOf;

    constructor() {
        _seat();
        IMallaToken.Allocation[] memory genesis = new IMallaToken.Allocation[](1);
        genesis[0] = IMallaToken.Allocation(address(this), GENESIS);
        token = new MallaToken(genesis);
        committee = new OracleCommittee(IMallaToken(address(token)), oracles, uint96(SEAT_STAKE), DELAY, 50);
        // The escrow is this contract's fourth creation: keccak(rlp([this, 4])).
        address predicted = address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", address(this), hex"04")))));
        staking = new Staking(IMallaToken(address(token)), predicted, DELAY);
        escrow = new JobEscrow(
            IMallaToken(address(token)), IStaking(address(staking)), IOracleCommittee(address(committee)), _terms()
        );
        require(address(escrow) == predicted, "the escrow lies elsewhere");
        for (uint256 i; i < oracles.length; ++i) {
            _join(oracles[i]);
        }
        for (uint256 i; i < 5; ++i) {
            _invite(i);
        }
    }

    function nodeOf(address provider) public view returns (address) {
        return staking.nodeKeyOf(provider);
    }

    /// @notice Signatures of the oracles whose bits are set, ascending by address as the seats are.
    function sign(bytes32 digest, uint256 who) external view returns (bytes[] memory signatures) {
        uint256 count;
        for (uint256 i; i < 4; ++i) {
            if (who & (1 << i) != 0) ++count;
        }
        signatures = new bytes[](count);
        count = 0;
        for (uint256 i; i < 4; ++i) {
            if (who & (1 << i) != 0) signatures[count++] = signBy(oracles[i], digest);
        }
    }

    function signBy(address account, bytes32 digest) public view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf[account], digest);
        return abi.encodePacked(r, s, v);
    }

    function _terms() private pure returns (IJobEscrow.Parameters memory terms) {
        terms.openFee = 0.01 ether;
        terms.feeBps = 300;
        terms.slashBps = 4_000;
        terms.detectionBps = 500;
        terms.auditBps = 2_000;
        terms.startWindow = 40;
        terms.cancelDelay = 70;
        terms.maxDuration = 3_600;
        terms.openWindow = 200;
        terms.maturityWindow = 1_800;
        terms.evidenceWindow = 500;
        terms.appealWindow = 900;
        terms.drawDelay = 3;
    }

    /// @dev Four oracles in ascending order of their addresses.
    function _seat() private {
        for (uint256 key = 101; key < 105; ++key) {
            address account = vm.addr(key);
            keyOf[account] = key;
            oracles.push(account);
        }
        for (uint256 i; i < 4; ++i) {
            for (uint256 j = i + 1; j < 4; ++j) {
                if (oracles[j] < oracles[i]) (oracles[i], oracles[j]) = (oracles[j], oracles[i]);
            }
        }
    }

    function _join(address oracle) private {
        token.transfer(oracle, SEAT_STAKE);
        vm.startPrank(oracle);
        token.approve(address(committee), type(uint256).max);
        committee.join("https://oracle.example", bytes32(uint256(1)), bytes32(uint256(2)));
        vm.stopPrank();
    }

    /// @dev Actors 0 and 1 are requesters, 2 and 3 providers with a stake, 4 is neither.
    function _invite(uint256 place) private {
        address actor = vm.addr(place + 1);
        keyOf[actor] = place + 1;
        actors.push(actor);
        token.transfer(actor, 20_000 ether);
        vm.startPrank(actor);
        token.approve(address(escrow), type(uint256).max);
        token.approve(address(staking), type(uint256).max);
        vm.stopPrank();
        if (place == 2 || place == 3) _register(actor, place + 201);
    }

    function _register(address provider, uint256 nodeKey) private {
        address node = vm.addr(nodeKey);
        keyOf[node] = nodeKey;
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Malla"),
                keccak256("1"),
                block.chainid,
                address(staking)
            )
        );
        bytes32 struct_ = keccak256(abi.encode(keccak256("NodeKey(address provider,address nodeKey)"), provider, node));
        bytes memory consent = signBy(node, keccak256(abi.encodePacked(hex"1901", domain, struct_)));
        vm.startPrank(provider);
        staking.register(node, bytes32(uint256(1)), 0, consent);
        staking.stake(2_000 ether);
        vm.stopPrank();
    }
}
