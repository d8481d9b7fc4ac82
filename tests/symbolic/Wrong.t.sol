// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.35;

import {JobMath} from "../../contracts/libraries/JobMath.sol";

/// @title A property that does not hold: `make prove` fails unless Halmos finds that out
contract WrongProofs {
    function check_wrong__the_fee_of_something_is_never_nothing(uint96 payment) public pure {
        if (payment != 0) assert(JobMath.feeOf(payment, 300) != 0);
    }
}
