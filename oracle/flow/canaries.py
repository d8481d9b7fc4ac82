"""Own canaries, step by step: funded, placed and followed by the requester's own program, audited when answered."""

from __future__ import annotations

from oracle.flow.canary_audits import audit_canary, tell_canaries
from oracle.flow.canary_prompts import compose
from oracle.flow.canary_traffic import PURPOSE, plan_canaries
from oracle.flow.node import Node
from oracle.ports import Replayer
from oracle.ports.canaries import Requesting
from oracle.records.canaries import CanaryRow, CanaryState
from protocol.encoding import from_hex, keccak
from protocol.errors import MallaError, Refused
from protocol.sealing import derive_secret

MOST = 4
"""Steps that the broker is told of at once: each takes a worker's time from audits."""
LOOK_EVERY = 20.0
LATE = 600.0
"""Seconds after its time at which a canary is not placed any more: that it came late could tell what it is."""
GIVEN_UP = 86_400.0
VARIANTS = 32
"""Prompts that are tried for one canary, if others had the same."""


def want_canaries(node: Node) -> int:
    """Plan if a new period began, tell the peers what was found, and the worker what is due. Returns how many steps it
    was told of."""
    plan_canaries(node)
    tell_canaries(node)
    now = node.clock()
    due = node.store.canaries_due(now, now - LOOK_EVERY, MOST)
    for number in due:
        node.queue.enqueue_canary(number)
        node.store.look_at_canary(number, now)
    return len(due)


def step_canary(node: Node, replayer: Replayer, requesting: Requesting, usual: bytes,
                number: int) -> CanaryState | None:
    """The next step of one canary, whichever it is; None when there is none. What the program cannot do now is tried
    again until it would be late. `usual` is the model where the order names none."""
    row, now = node.store.canary(number), node.clock()
    if row is None or row.state not in (CanaryState.PLANNED, CanaryState.PLACED):
        return None
    try:
        if row.state is CanaryState.PLACED:
            _follow(node, replayer, requesting, row)
        elif now > row.order.due_at + LATE:
            node.store.end_canary(number, CanaryState.FAILED, reason="It would be late.")
        elif row.order.deposit and not row.deposited:
            requesting.deposit(row.order.wallet, row.order.deposit)
            node.store.note_canary_deposit(number)
        elif now >= row.order.due_at:
            model = from_hex(row.order.model, 32) if row.order.model else usual
            _place(node, replayer, requesting, model, row)
    except MallaError as error:
        node.log("canary_postponed", number=number, error=error.message)
        if isinstance(error, Refused) and row.state is CanaryState.PLANNED:
            node.store.end_canary(number, CanaryState.FAILED, reason=error.message)
    found = node.store.canary(number)
    return None if found is None else found.state


def _place(node: Node, replayer: Replayer, requesting: Requesting, model: bytes, row: CanaryRow) -> None:
    if row.prompt_used:
        # It ended between taking the prompt and noting the job: a second try could send the same prompt twice.
        node.store.end_canary(row.number, CanaryState.FAILED, reason="It was interrupted while it was placed.")
        return
    secret = derive_secret(node.seal_secret, f"{PURPOSE}/prompt/{row.number}")
    texts = requesting.texts()
    for variant in range(VARIANTS):
        prompt = compose(texts, row.order.input_tokens, lambda text: len(replayer.encode(model, (("user", text),))),
                         keccak(secret + bytes([variant])))
        if node.store.use_prompt(row.number, keccak(prompt.encode())):
            job_id = requesting.submit(row.order, prompt)
            node.store.place_canary(row.number, job_id)
            node.log("canary_placed", number=row.number)
            return
    node.store.end_canary(row.number, CanaryState.FAILED, reason="Every prompt of that length was used before.")


def _follow(node: Node, replayer: Replayer, requesting: Requesting, row: CanaryRow) -> None:
    assert row.job_id is not None  # a placed one has its job
    found = requesting.follow(row.order.wallet, row.job_id)
    if found.transcript is not None:
        audit_canary(node, replayer, row, found.transcript)
    elif found.is_over or node.clock() > row.order.due_at + GIVEN_UP:
        node.store.end_canary(row.number, CanaryState.FAILED, reason=found.note or f"It ended as {found.state}.")
