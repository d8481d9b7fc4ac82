"""The escrow balance that jobs are opened from, for many jobs at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from protocol.units import Wei
from requester.errors import BalanceTooLow, GasMissing
from requester.ports.jobs import Chain, Wallet


class Funds:
    """Keeps the balance ahead of the jobs of one wallet.

    Opening reads the balance at the newest block, so what jobs on their way will take is counted here until mined.
    """

    def __init__(self, chain: Chain, wallet: Wallet, jobs_ahead: int = 10) -> None:
        self._chain, self._wallet, self._jobs_ahead = chain, wallet, jobs_ahead
        self._lock = threading.Lock()
        self._on_the_way = 0

    @contextmanager
    def cover(self, cost: int) -> Iterator[None]:
        """Within it the escrow balance covers `cost` wei, also when other threads open jobs.

        A missing balance is deposited for some jobs ahead, as far as the wallet reaches; it can be withdrawn at any
        time. Errors: BalanceTooLow, GasMissing, ChainRefused.
        """
        with self._lock:
            self._deposit(self._on_the_way + cost, self._on_the_way + cost * max(1, self._jobs_ahead))
            self._on_the_way += cost
        try:
            yield
        finally:
            with self._lock:
                self._on_the_way -= cost

    def ensure(self, amount: int) -> None:
        """Bring the free balance to at least `amount` wei."""
        with self._lock:
            self._deposit(self._on_the_way + amount, self._on_the_way + amount)

    def deposit(self, amount: int) -> None:
        """Move exactly `amount` wei from the wallet into the escrow."""
        with self._lock:
            has = self._chain.balances(self._wallet.address).escrow
            self._deposit(has + amount, has + amount)

    def _deposit(self, needed: int, wished: int) -> None:
        account = self._wallet.address
        has = self._chain.balances(account)
        if has.gas == 0:
            raise GasMissing(account)
        if has.escrow >= needed:
            return
        if has.escrow + has.wallet < needed:
            raise BalanceTooLow(account, needed, has.escrow, has.wallet)
        amount = min(has.wallet, wished - has.escrow)
        self._wallet.wait(self._wallet.send(self._chain.deposit_call(Wei(amount))))
