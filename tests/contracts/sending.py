"""How Brownie sends in tests: what it does beside the transaction itself is left out, because it is most of the time.

- It looks for the receipt at once, while Anvil counts the sender's nonce up before the receipt is there, and takes the
  transaction for dropped on a busy machine: here no sending returns before the node has the receipt.
- For the words of a refusal, and for what a transaction returned, it fetches every step with the stack and the memory
  and takes them apart: here it asks the node what the outermost call gave back, which is the same bytes.
- After each transaction it takes a snapshot, so that `chain.undo` can take one back: nothing here does.
- At each snapshot it reads the source of every function on the stack, to warn of who takes one without `chain`.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from brownie import chain, web3
from brownie.network.account import Account, LocalAccount, _PrivateKeyAccount
from brownie.network.rpc import Rpc
from brownie.network.transaction import TransactionReceipt
from web3.exceptions import TransactionNotFound

MINED_WITHIN_S = 60.0
OUTERMOST = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}


@contextmanager
def plain_sending() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for kind in (Account, LocalAccount):
            patch.setattr(kind, "_transact", _awaited(kind._transact))
        patch.setattr(_PrivateKeyAccount, "transfer", _without_undo(_PrivateKeyAccount.transfer))
        patch.setattr(TransactionReceipt, "_get_trace", _ask_what_it_gave_back)
        caller = SimpleNamespace(frame=SimpleNamespace(f_locals={"self": chain}))
        patch.setattr(sys.modules[Rpc.__module__], "inspect", SimpleNamespace(stack=lambda: [None, caller]))
        yield


def _awaited(transact: Any) -> Any:
    def send(self: Any, *arguments: Any) -> Any:
        sent = transact(self, *arguments)
        pause, deadline = 0.001, time.monotonic() + MINED_WITHIN_S
        while time.monotonic() < deadline:
            try:
                web3.eth.get_transaction_receipt(sent)
                break
            except TransactionNotFound:
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
        return sent

    return send


def _without_undo(transfer: Any) -> Any:
    @functools.wraps(transfer)
    def send(self: Any, *arguments: Any, **options: Any) -> Any:
        return transfer(self, *arguments, **(options | {"skip_undo": True}))

    return send


def _ask_what_it_gave_back(self: Any) -> None:
    """In the place of `TransactionReceipt._get_trace`: sets `return_value`, or `revert_msg`."""
    if self._raw_trace is not None:
        return
    self._raw_trace = self._trace = []
    answer = web3.provider.make_request("debug_traceTransaction", [self.txid, OUTERMOST])
    given_back = answer["result"].get("output") or "0x"
    if self.status:
        if given_back != "0x":
            self._confirmed_return_value(given_back)
        return
    self._dev_revert_msg = ""
    self._revert_msg = ""
    if given_back != "0x":
        self._reverted_return_value(given_back)
