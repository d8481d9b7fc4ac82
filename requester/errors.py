"""Errors that only a requester meets."""

from __future__ import annotations

from protocol.calls import MAX_IN_FLIGHT
from protocol.errors import MallaError
from protocol.units import Address, Wei, in_tokens


class BalanceTooLow(MallaError):
    """The wallet and its escrow balance together do not cover what a job may cost."""

    code = "balance_too_low"

    def __init__(self, account: Address, needed: int, escrow: int, wallet: int) -> None:
        self.missing = needed - escrow - wallet
        super().__init__(
            f"{in_tokens(needed)} MALLA are needed, {account} has {in_tokens(escrow)} in the escrow and "
            f"{in_tokens(wallet)} in its wallet: {in_tokens(self.missing)} MALLA are missing.",
            f"Transfer at least {in_tokens(self.missing)} MALLA to {account}; on the local testnet the accounts under "
            "var/testnet/requesters are funded.",
        )


class GasMissing(MallaError):
    """The account cannot pay for a transaction."""

    code = "gas_missing"

    def __init__(self, account: Address) -> None:
        super().__init__(
            f"{account} has no ether, so it cannot pay for any transaction.",
            f"Send some of the chain's own currency to {account}.",
        )


class BondMissing(MallaError):
    """The wallet does not hold the bond of a dispute."""

    code = "bond_missing"

    def __init__(self, account: Address, bond: int, wallet: int, escrow: int) -> None:
        missing = bond - wallet
        way = f"malla request withdraw {in_tokens(missing)}" if escrow >= missing else "Transfer them to it first."
        super().__init__(f"The bond is {in_tokens(bond)} MALLA and comes out of the wallet; {account} has "
                         f"{in_tokens(wallet)} in it: {in_tokens(missing)} MALLA are missing.", way)


class JobNotFound(MallaError):
    """No job file of that id."""

    code = "job_not_found"


class WaitTimeout(MallaError):
    """The caller's patience ended before the job did; nothing is lost."""

    code = "timeout"


class AnswerInvalid(MallaError):
    """What was delivered is not what the provider committed to."""

    code = "answer_invalid"


EXIT_CODES: dict[str, int] = {
    "config_invalid": 3, "balance_too_low": 4, "gas_missing": 4, "no_provider": 5, "price_over_cap": 5, "busy": 5,
    "offer_expired": 5, "unknown_model": 5, "timeout": 6, "chain_unreachable": 8,
    "spend_limit": 4, "bond_missing": 4, "key_cap_used": 4, "no_capacity": 5,
}  # fmt: skip
REFUNDED = 7
"""Exit status of a command whose job was refunded."""


def exit_code(error: MallaError) -> int:
    """Exit status of a command that ends with the error; 1 where no other number says more, 2 is for wrong usage."""
    return EXIT_CODES.get(error.code, 1)


class CapReached(MallaError):
    """The session's cap does not hold what the call may cost. `missing` is wei."""

    code = "cap_reached"

    def __init__(self, missing: int) -> None:
        self.missing = Wei(missing)
        super().__init__(f"The session's cap lacks {missing} wei for this call.", "Top the session up.")


class TooManyCalls(MallaError):
    """One more call than a voucher can name. It waits until others have ended."""

    code = "busy"

    def __init__(self) -> None:
        super().__init__(f"{MAX_IN_FLIGHT} calls of this session wait for their end.", "Ask again in a moment.")
