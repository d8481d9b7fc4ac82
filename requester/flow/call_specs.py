"""From an order to the spec, the prompt and the key of one attempt."""

from __future__ import annotations

import secrets

from protocol import sealing
from protocol.encoding import keccak
from protocol.transcript import prompt_bytes
from protocol.types import JobSpec, Prompt
from requester.flow.desk import Desk, Live
from requester.flow.sellers import Order
from requester.records.sessions import CallFile, CallStage

KEY_BYTES = 32


def make_call(desk: Desk, live: Live, order: Order) -> CallFile:
    """A call's spec and prompt, with a fresh salt, nonce and key: two attempts have nothing in common to be linked by.

    Errors: BadInput, Malformed for a prompt that is none."""
    wanted, offer, domain = order.wanted, live.file.offer.offer, desk.market.chain.domain
    prompt = prompt_bytes(Prompt(wanted.messages, secrets.token_bytes(32)))
    spec = JobSpec(
        chain_id=domain.chain_id, escrow=domain.contract, requester=desk.market.wallet.address,
        provider=offer.provider, model=order.model.digest, profile=offer.profile, sampler=wanted.sampler,
        input_tokens=order.input_tokens, max_output_tokens=wanted.max_output_tokens, prompt_digest=keccak(prompt),
        prompt_blob=live.session_id, reply_key=sealing.public_key(sealing.new_secret()), nonce=secrets.randbits(63),
        audit=wanted.audit)
    return CallFile(live.session_id, spec.nonce, CallStage.SENT, spec, prompt, secrets.token_bytes(KEY_BYTES),
                    wanted.kind, int(desk.clock()))
