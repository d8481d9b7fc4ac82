// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IJobEscrow} from "../../contracts/interfaces/IJobEscrow.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {Base} from "./Base.sol";
import {Book} from "./Book.sol";
import {Shadow} from "./Shadow.sol";
import {Stage} from "./Stage.sol";

/// @notice The campaign: it looks after each move, because what an invariant itself stores is forgotten.
interface Watch {
    function look() external;
}

/// @title What the moves of all nouns share
/// @dev Each function of a handler is one kind of move, with fuzzed choices among what can be chosen now. A move that
/// the contracts refuse reverts as a whole, which Forge counts: `make invariants` prints the histogram.
abstract contract Moves is Base {
    Stage internal immutable stage;
    Book internal immutable book;
    Shadow internal immutable shadow;
    IMallaToken internal immutable token;
    IJobEscrow internal immutable escrow;
    IStaking internal immutable staking;
    IOracleCommittee internal immutable committee;
    IRewards internal immutable rewards;
    IDisputeCourt internal immutable court;

    /// @dev The shadow reads every log of the move.
    modifier told() {
        vm.recordLogs();
        _;
        shadow.read(vm.getRecordedLogs());
        try Watch(book.watcher()).look() {}
        catch {
            shadow.note(0, false, "what was seen before went back or changed");
        }
    }

    constructor(Book book_, Shadow shadow_) {
        book = book_;
        shadow = shadow_;
        stage = book_.stage();
        token = IMallaToken(address(stage.token()));
        escrow = stage.escrow();
        staking = IStaking(address(stage.staking()));
        committee = IOracleCommittee(address(stage.committee()));
        rewards = IRewards(address(stage.rewards()));
        court = IDisputeCourt(address(stage.court()));
    }

    function _person(uint256 seed) internal view returns (address) {
        return book.people(seed % 7);
    }

    function _requester(uint256 seed) internal view returns (address) {
        return book.requesters(seed % 3);
    }

    function _provider(uint256 seed) internal view returns (address) {
        return book.providers(seed % 3);
    }

    function _delegator(uint256 seed) internal view returns (address) {
        return book.delegators(seed % 3);
    }

    /// @dev A number that differs from the seed and from those of other salts.
    function _mix(uint256 seed, uint256 salt) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, salt)));
    }
}
