// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {JobSlot, PackedJob} from "../../contracts/libraries/JobSlot.sol";

/// @title A property that does not hold: `make prove` fails unless Halmos finds that out
contract WrongProofs {
    function check_wrong__a_commitment_keeps_a_cancel(uint40 openedAt, uint40 deadline) public pure {
        PackedJob slot = JobSlot.opened(openedAt, deadline, 1).cancelled(deadline);
        assert(slot.committed(1, 0).isCancelled());
    }
}
