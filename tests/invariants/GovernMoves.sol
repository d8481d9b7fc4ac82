// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IGuarded} from "../../contracts/interfaces/IGuarded.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {Book} from "./Book.sol";
import {Moves} from "./Moves.sol";
import {Shadow} from "./Shadow.sol";

/// @title What the timelock changes, and what the guardian pauses
/// @dev The vote itself is tested elsewhere; here its result happens between all other moves.
contract GovernMoves is Moves {
    /// @notice Digest of every parameter after the last change that governance made.
    bytes32 public agreed;

    constructor(Book book_, Shadow shadow_) Moves(book_, shadow_) {
        agreed = digest();
    }

    /// @notice New terms for what begins from now on. The start window stays, the shadow knows it by heart.
    function setTerms(uint256 seed) external told {
        if (seed % 4 != 0) revert Book.NothingToPick();
        IEscrowTerms.Parameters memory its = stage.terms();
        its.openFee = uint64(_bound(seed, 0, 0.02 ether));
        its.feeBps = uint16(_bound(_mix(seed, 1), 0, 2_000));
        its.slashBps = uint16(_bound(_mix(seed, 2), 3_000, 10_000));
        its.challengerBps = uint16(_bound(_mix(seed, 3), 0, 1_200));
        its.auditFee = uint96(_bound(_mix(seed, 4), 0, 0.01 ether));
        its.submitFee = uint96(_bound(_mix(seed, 5), 0, 0.01 ether));
        its.appealWindow = uint32(_bound(_mix(seed, 6), 5, 900));
        its.slashEpoch = uint32(_bound(_mix(seed, 7), 600, 2_400));
        its.slashCeiling = uint96(_bound(_mix(seed, 8), 500 ether, 3_500 ether));
        vm.prank(address(stage.timelock()));
        escrow.setTerms(its);
        agreed = digest();
    }

    function setRest(uint256 seed) external told {
        if (seed % 4 != 0) revert Book.NothingToPick();
        vm.startPrank(address(stage.timelock()));
        stage.rewards().setBeta(uint16(_bound(_mix(seed, 1), 0, 9_000)));
        stage.staking().setDelegationMultiple(uint16(_bound(_mix(seed, 2), 0, 16)));
        stage.committee().setSeatStake(uint96(_bound(_mix(seed, 3), 200 ether, 900 ether)));
        stage.court()
            .setTerms(
                IDisputeCourt.Terms(
                    uint96(_bound(_mix(seed, 4), 1 gwei, 80 ether)),
                    uint96(_bound(_mix(seed, 5), 1 gwei, 30 ether)),
                    uint32(_bound(_mix(seed, 6), 100, 1_000)),
                    uint32(_bound(_mix(seed, 7), 100, 2_300)),
                    uint16(_bound(_mix(seed, 8), 0, 100))
                )
            );
        vm.stopPrank();
        agreed = digest();
    }

    /// @notice The guardian stops openings or stakes for at most a few minutes of the campaign.
    function pause(uint256 seed) external told {
        if (seed % 4 != 0) revert Book.NothingToPick();
        uint40 until = uint40(block.timestamp + _bound(seed >> 8, 0, 200));
        bytes32 money = _money();
        vm.prank(stage.guardian());
        IGuarded(seed % 8 == 0 ? address(escrow) : address(staking)).pause(until);
        shadow.note(43, _money() == money, "a pause moved money");
        vm.prank(stage.guardian());
        try escrow.pause(uint40(block.timestamp + 7 days + 1)) {
            shadow.note(43, false, "a pause longer than seven days");
        } catch {}
    }

    /// @notice Every parameter that governance can set.
    function digest() public view returns (bytes32) {
        bytes32 first = keccak256(abi.encode(escrow.parameters(), court.terms(), escrow.guardian()));
        bytes32 second = keccak256(
            abi.encode(
                staking.unstakeDelay(),
                staking.delegationMultiple(),
                staking.guardian(),
                committee.seatStake(),
                committee.stakeDelay(),
                rewards.betaBps(),
                stage.timelock().getMinDelay()
            )
        );
        return keccak256(abi.encode(first, second));
    }

    function _money() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                token.balanceOf(address(escrow)),
                token.balanceOf(address(staking)),
                escrow.exposure(),
                escrow.feesToBurn(),
                staking.condemned()
            )
        );
    }
}
