"""What happens with tokens that are not ours."""

from __future__ import annotations

from tests.attacks.copies import Attack, Patch

BALANCES = "contracts/escrow/Balances.sol"
PAYOFFS = "contracts/escrow/Payoffs.sol"

INTAKE = "contracts/libraries/Intake.sol"
UNCHECKED = Patch(INTAKE, "if (held != before + amount) revert", "if (held < before) revert")
PUSHED = [
    Patch(
        PAYOFFS,
        "_state.credit(entry.requester, refunded);",
        "_token.transfer(entry.requester, refunded);",
    )
]
CREDITED = "_state.credit(msg.sender, amount);"
ATTACKS = (
    Attack("FeeOnTransfer", "TheftFailed", [UNCHECKED]),
    Attack(
        "FalseOnTransfer",
        "TheftFailed",
        [
            UNCHECKED,
            Patch(INTAKE, "token.safeTransferFrom(msg.sender,", "token.transferFrom(msg.sender,"),
        ],
    ),
    Attack(
        "SilentOnTransfer",
        "TheftFailed",
        [Patch(INTAKE, "token.safeTransferFrom(msg.sender,", "token.transferFrom(msg.sender,")],
    ),
    Attack("RevertsOnZero", "TheftFailed", PUSHED),
    Attack("BlockedPayee", "TheftFailed", PUSHED),
    Attack("StoppedWhilePending", "TheftFailed", PUSHED),
    Attack("SixDecimals", "TheftFailed", [Patch(BALANCES, CREDITED, CREDITED.replace("amount", "amount * 1e12"))]),
    Attack("ManyDecimals", "TheftFailed", [Patch(BALANCES, CREDITED, CREDITED.replace("amount", "amount * 1e9"))]),
    Attack(
        "ReentrantWithdrawal",
        "TheftFailed",
        [
            Patch(BALANCES, "_state.debit(msg.sender, amount);", "_token.safeTransfer(msg.sender, amount);"),
            Patch(
                BALANCES,
                "        emit Withdrawn(msg.sender, amount);\n        _token.safeTransfer(msg.sender, amount);",
                "        emit Withdrawn(msg.sender, amount);\n"
                "        _state.balances[msg.sender] -= amount < _state.balances[msg.sender]\n"
                "            ? amount\n            : _state.balances[msg.sender];",
            ),
        ],
    ),
    Attack(
        "ReentrantDeposit",
        "refused",
        [
            UNCHECKED,
            Patch(
                BALANCES,
                "if (amount == 0) revert ZeroAmount();\n        _state.credit(msg.sender, amount);",
                "uint256 before = _state.balances[msg.sender] + amount;\n        _state.credit(msg.sender, amount);",
            ),
            Patch(
                BALANCES,
                "        _token.pull(amount);",
                "        _token.pull(amount);\n        _state.balances[msg.sender] = before;",
            ),
        ],
    ),
)
