// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {JobEscrow} from "../../contracts/JobEscrow.sol";
import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {IGoverned} from "../../contracts/interfaces/IGoverned.sol";
import {IMallaToken} from "../../contracts/interfaces/IMallaToken.sol";
import {IOracleCommittee} from "../../contracts/interfaces/IOracleCommittee.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {IEscrowEnds} from "../../contracts/interfaces/escrow/IEscrowEnds.sol";
import {IEscrowTerms} from "../../contracts/interfaces/escrow/IEscrowTerms.sol";
import {EscrowScene} from "./EscrowScene.sol";

/// @title The escrow is not deployed among contracts that do not know it
/// @dev The others are made to name a new escrow, all but one.
contract WiringTest is EscrowScene {
    address private constant WRONG = address(0xBAD);

    function test_escrow__that_somebody_does_not_name__is_not_deployed() public {
        IEscrowTerms.Wiring memory its = stage.wiring();
        _refused(its.staking, abi.encodeCall(IStaking.escrow, ()), its.staking);
        _refused(its.staking, abi.encodeCall(IStaking.court, ()), its.staking);
        _refused(its.court, abi.encodeCall(IDisputeCourt.escrow, ()), its.court);
        _refused(its.token, abi.encodeCall(IMallaToken.minter, ()), its.token);
        _refused(its.committee, abi.encodeCall(IOracleCommittee.escrow, ()), its.committee);
        _refused(its.rewards, abi.encodeCall(IRewards.escrow, ()), its.rewards);
    }

    function test_escrow__with_a_part_of_another_wiring__is_not_deployed() public {
        IEscrowTerms.Wiring memory other = stage.wiring();
        other.token = WRONG;
        _nameNext();
        vm.mockCall(address(stage.desk()), abi.encodeCall(IEscrowTerms.wiring, ()), abi.encode(other));
        _expectRefusal(address(stage.desk()));
        vm.mockCall(address(stage.desk()), abi.encodeCall(IEscrowTerms.wiring, ()), abi.encode(stage.wiring()));
        _nameNext();
        vm.mockCall(address(stage.ends()), abi.encodeCall(IEscrowEnds.partWiring, ()), abi.encode(other));
        _expectRefusal(address(stage.ends()));
    }

    function test_escrow__that_all_name__is_deployed() public {
        _nameNext();
        JobEscrow made = _deploy();
        _assertEq(IEscrowTerms(address(made)).guardian(), stage.guardian(), "guardian");
        _assertEq(IEscrowTerms(address(made)).termsVersion(), 1, "version");
    }

    function _refused(address part, bytes memory getter, address named) private {
        _nameNext();
        vm.mockCall(part, getter, abi.encode(WRONG));
        _expectRefusal(named);
        IEscrowTerms.Wiring memory its = stage.wiring();
        vm.mockCall(its.staking, abi.encodeCall(IStaking.court, ()), abi.encode(its.court));
        vm.mockCall(its.token, abi.encodeCall(IMallaToken.minter, ()), abi.encode(its.rewards));
    }

    /// @dev Everybody names the contract that this one creates next.
    function _nameNext() private {
        bytes memory next = abi.encode(vm.computeCreateAddress(address(this), vm.getNonce(address(this))));
        IEscrowTerms.Wiring memory its = stage.wiring();
        vm.mockCall(its.staking, abi.encodeCall(IStaking.escrow, ()), next);
        vm.mockCall(its.court, abi.encodeCall(IDisputeCourt.escrow, ()), next);
        vm.mockCall(its.committee, abi.encodeCall(IOracleCommittee.escrow, ()), next);
        vm.mockCall(its.rewards, abi.encodeCall(IRewards.escrow, ()), next);
    }

    function _expectRefusal(address named) private {
        try this.deploy() {
            revert NotTrue("deployed");
        } catch (bytes memory reason) {
            _assertEq(
                keccak256(reason), keccak256(abi.encodeWithSelector(IGoverned.NotWiredTo.selector, named)), "reason"
            );
        }
    }

    function deploy() external returns (JobEscrow) {
        return _deploy();
    }

    function _deploy() private returns (JobEscrow) {
        return
            new JobEscrow(stage.wiring(), stage.terms(), stage.guardian(), address(stage.desk()), address(stage.ends()));
    }
}
