"""The first half of a job's way: the blobs go to the oracles, the opening to the chain, each at most once."""

from __future__ import annotations

from dataclasses import replace

from protocol import sealing
from protocol.errors import ChainRefused, MallaError
from protocol.transcript import spec_bytes
from protocol.types import JobState
from protocol.units import Digest
from requester.flow.blobs import send_blob
from requester.flow.funding import Funds
from requester.ports.jobs import Market
from requester.records.jobs import JobFile, Stage

NOT_YET_CHARGED = frozenset({
    "OfferExpired", "OfferIsRevoked", "OfferSignatureInvalid", "OutstandingTooHigh", "StakeDoesNotDeter",
    "ProviderIsFrozen", "TokensOutOfOffer", "DurationOutOfBounds", "ZeroPrice",
})
"""Refusals of an opening after which another offer may do."""


def abandon(file: JobFile, market: Market, why: str) -> JobFile:
    """Give up a job that was never opened."""
    given_up = replace(file, stage=Stage.ABANDONED, note=why)
    market.files.write(given_up)
    return given_up


def send_blobs(file: JobFile, market: Market) -> JobFile:
    oracles, domain = market.oracles(), market.chain.domain
    sealed = sealing.seal(file.prompt, file.encryption_key, file.seal_secret)
    receipts = send_blob(spec_bytes(file.spec), oracles, domain) + send_blob(sealed, oracles, domain)
    return replace(file, stage=Stage.SENT, storage=receipts)


def open_on_chain(file: JobFile, market: Market, funds: Funds) -> JobFile:
    view = market.chain.view_job(file.job_id)
    if view.state is JobState.NONE:
        file = _send_opening(file, market, funds)
        view = market.chain.view_job(file.job_id)
    if view.state is JobState.NONE:  # mined and dropped again by a re-organisation: the next step sends it again
        return file
    return replace(file, stage=Stage.OPEN, opened_at=view.opened_at, deadline=view.deadline)


def _send_opening(file: JobFile, market: Market, funds: Funds) -> JobFile:
    def remember(tx_hash: bytes, raw: bytes) -> None:
        nonlocal file
        file = replace(file, open_tx=bytes(tx_hash), open_raw=raw)
        market.files.write(file)

    with funds.cover(file.job.price + file.open_fee):
        try:
            # The id binds the whole job, so a second opening of it is refused as JobExists, never paid twice.
            if not (file.open_raw and market.wallet.resend(file.open_raw)):
                market.wallet.send(market.chain.open_call(file), remember)
            mined = market.wallet.wait(Digest(file.open_tx))
        except ChainRefused as error:
            if error.error == "JobExists":
                return file
            abandon(file, market, error.message)
            raise
    return replace(file, opened_block=mined.block)


def is_retryable(error: MallaError) -> bool:
    """Whether another offer may open what this one could not."""
    return isinstance(error, ChainRefused) and error.error in NOT_YET_CHARGED
