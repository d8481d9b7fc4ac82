// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.35;

import {IEscrowBalances} from "../interfaces/escrow/IEscrowBalances.sol";
import {EscrowState} from "./EscrowState.sol";

/// @title Accounts: the only two ways in which a free balance changes
library Accounts {
    function credit(EscrowState storage self, address account, uint256 amount) internal {
        if (amount != 0) self.balances[account] += amount;
    }

    function debit(EscrowState storage self, address account, uint256 amount) internal {
        uint256 balance = self.balances[account];
        if (amount > balance) revert IEscrowBalances.BalanceTooLow(account, balance, amount);
        self.balances[account] = balance - amount;
    }
}
