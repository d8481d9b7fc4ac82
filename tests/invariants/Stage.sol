// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {DisputeCourt} from "../../contracts/DisputeCourt.sol";
import {EscrowDesk} from "../../contracts/EscrowDesk.sol";
import {EscrowEnds} from "../../contracts/EscrowEnds.sol";
import {JobEscrow} from "../../contracts/JobEscrow.sol";
import {MallaGovernor} from "../../contracts/MallaGovernor.sol";
import {MallaTimelock} from "../../contracts/MallaTimelock.sol";
import {MallaToken} from "../../contracts/MallaToken.sol";
import {OracleCommittee} from "../../contracts/OracleCommittee.sol";
import {Rewards} from "../../contracts/Rewards.sol";
import {Staking} from "../../contracts/Staking.sol";
import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IJobEscrow} from "../../contracts/interfaces/IJobEscrow.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {Vm} from "./Base.sol";

/// @title The whole system as a deployment makes it: each contract at the address that the others were told before
/// @dev The numbers are those of the profile "test" of `scripts/parameters.py`, but for the seat stake: it covers so
/// little that the value at risk is often at its bound.
contract Stage {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    uint256 public constant GENESIS = 1e8 ether;
    uint96 public constant SEAT_STAKE = 300 ether;
    uint32 public constant DELAY = 12_870;

    MallaToken public immutable token;
    OracleCommittee public immutable committee;
    Staking public immutable staking;
    Rewards public immutable rewards;
    DisputeCourt public immutable court;
    MallaTimelock public immutable timelock;
    MallaGovernor public immutable governor;
    EscrowDesk public immutable desk;
    EscrowEnds public immutable ends;
    IJobEscrow public immutable escrow;

    address public guardian = vm.addr(99);
    address[] public oracles;
    mapping(address account => uint256) public keyOf;

    constructor() {
        _seat();
        IEscrowTerms.Wiring memory parts = _wiring();
        IMallaToken.Allocation[] memory genesis = new IMallaToken.Allocation[](1);
        genesis[0] = IMallaToken.Allocation(address(this), GENESIS);
        token = new MallaToken(genesis, parts.rewards);
        address escrow_ = _at(10);
        committee =
            new OracleCommittee(IMallaToken(parts.token), escrow_, parts.governor, oracles, SEAT_STAKE, DELAY, 8);
        staking = new Staking(
            IStaking.StakingWiring(IMallaToken(parts.token), escrow_, parts.court, parts.rewards, parts.governor),
            DELAY,
            6,
            guardian
        );
        rewards = new Rewards(
            IMallaToken(parts.token),
            escrow_,
            parts.staking,
            parts.governor,
            IRewards.Schedule(1_300, 0.5 ether, 10, 4 ether),
            8_000
        );
        court = new DisputeCourt(
            IMallaToken(parts.token),
            escrow_,
            IStaking(parts.staking),
            IOracleCommittee(parts.committee),
            parts.governor,
            IDisputeCourt.Terms(60 ether, 25 ether, 1_000, 1_500, 8)
        );
        address[] memory proposers = new address[](1);
        proposers[0] = _at(7);
        timelock = new MallaTimelock(DELAY, proposers, new address[](1), IStaking(parts.staking));
        governor = new MallaGovernor(
            IVotes(parts.token),
            TimelockController(payable(parts.governor)),
            MallaGovernor.Settings(80, 1_100, 2_000 ether, 5, 240)
        );
        desk = new EscrowDesk(parts);
        ends = new EscrowEnds(parts);
        escrow = IJobEscrow(address(new JobEscrow(parts, terms(), guardian, address(desk), address(ends))));
        require(address(escrow) == escrow_, "the escrow lies elsewhere");
    }

    /// @notice Lets four of the five seats join.
    function fillSeats() external {
        for (uint256 i; i < 5; ++i) {
            token.transfer(oracles[i], SEAT_STAKE * 10);
            vm.prank(oracles[i]);
            token.approve(address(committee), type(uint256).max);
            if (i == 4) return;
            vm.prank(oracles[i]);
            committee.join("https://oracle.example", bytes32(uint256(1)), bytes32(uint256(2)));
        }
    }

    /// @notice Gives an account tokens and lets it spend them at every contract.
    function endow(address account, uint256 key, uint256 amount) external {
        keyOf[account] = key;
        token.transfer(account, amount);
        vm.startPrank(account);
        token.approve(address(escrow), type(uint256).max);
        token.approve(address(staking), type(uint256).max);
        token.approve(address(court), type(uint256).max);
        vm.stopPrank();
    }

    /// @notice Makes `provider` a provider with the node key `key`.
    function register(address provider, uint256 key) external {
        address node = vm.addr(key);
        keyOf[node] = key;
        bytes memory signature = consent(provider, key);
        vm.prank(provider);
        staking.register(node, bytes32(uint256(1)), 0, signature);
    }

    /// @notice What a key signs to become the node key of `provider`.
    function consent(address provider, uint256 key) public view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Malla"),
                keccak256("1"),
                block.chainid,
                address(staking)
            )
        );
        address node = vm.addr(key);
        bytes32 struct_ = keccak256(abi.encode(keccak256("NodeKey(address provider,address nodeKey)"), provider, node));
        return signWith(key, keccak256(abi.encodePacked(hex"1901", domain, struct_)));
    }

    /// @notice Remembers a key that was made later.
    function know(uint256 key) external returns (address account) {
        account = vm.addr(key);
        keyOf[account] = key;
    }

    /// @notice Signatures of the oracles whose bits are set, ascending by address as the seats are.
    function sign(bytes32 digest, uint256 who) external view returns (bytes[] memory signatures) {
        uint256 count;
        for (uint256 i; i < oracles.length; ++i) {
            if (who & (1 << i) != 0) ++count;
        }
        signatures = new bytes[](count);
        count = 0;
        for (uint256 i; i < oracles.length; ++i) {
            if (who & (1 << i) != 0) signatures[count++] = signBy(oracles[i], digest);
        }
    }

    function signBy(address account, bytes32 digest) public view returns (bytes memory) {
        return signWith(keyOf[account], digest);
    }

    function signWith(uint256 key, bytes32 digest) public pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function terms() public pure returns (IEscrowTerms.Parameters memory its) {
        its.openFee = 0.01 ether;
        its.feeBps = 300;
        its.slashBps = 4_000;
        its.challengerBps = 1_100;
        its.detectionBps = 500;
        its.auditBps = 2_000;
        its.drawDelay = 3;
        its.startWindow = 40;
        its.cancelDelay = 70;
        its.maxDuration = 3_600;
        its.openWindow = 200;
        its.lastChance = 310;
        its.maturityWindow = 1_800;
        its.evidenceWindow = 500;
        its.appealWindow = 900;
        its.claimDelay = 5_950;
        its.maxSession = 7_200;
        its.slashEpoch = 2_400;
        its.auditFee = 0.002 ether;
        its.submitFee = 0.0025 ether;
        its.slashCeiling = 3_000 ether;
    }

    function wiring() external view returns (IEscrowTerms.Wiring memory) {
        return _wiring();
    }

    /// @dev The contract that this one creates as its `nonce`th.
    function _at(uint256 nonce) private view returns (address) {
        return vm.computeCreateAddress(address(this), nonce);
    }

    function _wiring() private view returns (IEscrowTerms.Wiring memory) {
        return IEscrowTerms.Wiring(_at(1), _at(3), _at(2), _at(4), _at(5), _at(6));
    }

    /// @dev Five oracles in ascending order of their addresses.
    function _seat() private {
        for (uint256 key = 101; key < 106; ++key) {
            address account = vm.addr(key);
            keyOf[account] = key;
            oracles.push(account);
        }
        for (uint256 i; i < 5; ++i) {
            for (uint256 j = i + 1; j < 5; ++j) {
                if (oracles[j] < oracles[i]) (oracles[i], oracles[j]) = (oracles[j], oracles[i]);
            }
        }
    }
}
