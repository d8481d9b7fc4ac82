"""From a request to a job that is ready to be sent: tokens counted, offer chosen, prompt sealed, digests fixed."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

from protocol import sealing
from protocol.economics import reserve
from protocol.encoding import keccak
from protocol.errors import BadInput, MallaError, Reason, Refused
from protocol.limits import MAX_PROMPT
from protocol.messages import job_id, offer_digest
from protocol.sampling import PLAIN
from protocol.transcript import parse_prompt, prompt_bytes, spec_digest
from protocol.types import AUDIT_ONE, CANARY_ONLY, Job, JobSpec, Prompt, Sampler, SignedOffer
from protocol.units import Address, Digest, Wei
from requester.flow.filters import Candidate, Wanted
from requester.flow.matching import choose_offer
from requester.flow.ordering import require_context, require_order
from requester.ports.jobs import Market, ModelChoice, Terms
from requester.records.jobs import FORMAT, JobFile, Stage


@dataclass(frozen=True)
class Request:
    """What a user asks for. `messages` are (role, content); `max_price` is wei for the whole job, fee of opening
    excluded; `duration` seconds from open to commit; `label` finds the job again after a crash; `audit` is one of
    `AUDIT_CLASSES`."""

    messages: tuple[tuple[str, str], ...]
    model: str | None = None
    max_tokens: int = 64
    max_price: Wei | None = None
    provider: Address | None = None
    duration: int | None = None
    sampler: Sampler = PLAIN
    label: str = ""
    audit: str = AUDIT_ONE


def prepare_job(request: Request, market: Market, avoid: frozenset[Address] = frozenset()) -> JobFile:
    """A job file of stage PREPARED; nothing is sent yet. Errors: Refused, BadInput, Unavailable, ChainUnreachable."""
    model = market.models.find(request.model)
    if model.max_inputs:
        raise BadInput(f"{model.name} gives vectors: it answers the calls of sessions, not jobs.",
                       "Ask through a gateway: malla request serve.")
    if not any(content.strip() for _, content in request.messages):
        raise BadInput("The prompt is empty.", "Write a question.")
    prompt = prompt_bytes(Prompt(request.messages, os.urandom(32)))
    parse_prompt(_of_allowed_size(prompt))  # the provider will read it by the same rules
    require_order(request.sampler, request.max_tokens, request.audit)
    tokens = market.models.count_tokens(model, request.messages)
    require_context(model, tokens, request.max_tokens)
    wanted = Wanted(model.digest, model.name, tokens, request.max_tokens, request.max_price, request.duration,
                    request.provider, avoid, model.profiles, request.audit == CANARY_ONLY, request.sampler)
    terms = market.chain.terms()
    chosen = choose_offer(list_candidates(wanted, market), wanted, terms, market.chain.domain, market.chain.now(),
                          market.random())
    return _seal(request, market, model, prompt, tokens, chosen, terms)


def list_candidates(wanted: Wanted, market: Market) -> list[Candidate]:
    """Every offer for the model that an oracle knows, with what the chain says of its provider.

    When there is none, the offers for other models come instead: the refusal can then say what is there.
    """
    offers = gather_offers(market, wanted.model) or gather_offers(market, None)
    standings = {p: market.chain.standing(p) for p in {signed.offer.provider for signed in offers}}
    return [
        Candidate(signed, standings[signed.offer.provider],
                  market.chain.is_offer_revoked(signed.offer.provider, signed.offer.nonce))
        for signed in offers
    ]


def gather_offers(market: Market, model: Digest | None) -> list[SignedOffer]:
    """The offers of all oracles together, each once: one oracle alone could hide some. Needs one that answers."""
    found: dict[Digest, SignedOffer] = {}
    failures, oracles = [], market.oracles()
    for oracle in oracles:
        try:
            for signed in oracle.list_offers(model, None):
                found.setdefault(offer_digest(market.chain.domain, signed.offer), signed)
        except MallaError as error:
            failures.append(error.message)
    if len(failures) == len(oracles):
        raise Refused(Reason.NOT_READY, "No oracle answers. " + " ".join(failures),
                      "Check that the network is up (malla testnet status) and try again.")
    return list(found.values())


def _of_allowed_size(prompt: bytes) -> bytes:
    if len(prompt) > MAX_PROMPT:
        raise BadInput(f"The prompt has {len(prompt)} bytes, the limit is {MAX_PROMPT}.", "Shorten the prompt.")
    return prompt


def _seal(request: Request, market: Market, model: ModelChoice, prompt: bytes, tokens: int, chosen: Candidate,
          terms: Terms) -> JobFile:
    domain, offer = market.chain.domain, chosen.offer.offer
    nonce, secret = secrets.randbits(63), sealing.new_secret()
    sealed = sealing.seal(prompt, chosen.standing.encryption_key, secret)
    spec = JobSpec(
        chain_id=domain.chain_id,
        escrow=domain.contract,
        requester=market.wallet.address,
        provider=offer.provider,
        model=model.digest,
        profile=offer.profile,
        sampler=request.sampler,
        input_tokens=tokens,
        max_output_tokens=request.max_tokens,
        prompt_digest=keccak(prompt),
        prompt_blob=keccak(sealed),
        reply_key=sealing.public_key(market.wallet.reply_secret(nonce)),
        nonce=nonce,
        audit=request.audit,
    )
    price = reserve(tokens, request.max_tokens, offer.input_price, offer.output_price)
    job = Job(market.wallet.address, offer.provider, offer_digest(domain, offer), spec_digest(spec), tokens,
              request.max_tokens, price, nonce)
    assert chosen.standing.node_key is not None  # the signature filter took the others away
    return JobFile(
        format=FORMAT,
        job_id=job_id(domain.chain_id, domain.contract, job),
        label=request.label,
        stage=Stage.PREPARED,
        model=model.name,
        job=job,
        spec=spec,
        offer=chosen.offer,
        node_key=chosen.standing.node_key,
        encryption_key=chosen.standing.encryption_key,
        prompt=prompt,
        seal_secret=secret,
        duration=terms.max_duration if request.duration is None else request.duration,
        created_at=market.chain.now(),
        open_fee=terms.open_fee,
    )


def messages_of(prompt: str, system: str | None = None) -> tuple[tuple[str, str], ...]:
    """A chat of one question."""
    return ((("system", system),) if system else ()) + (("user", prompt),)
