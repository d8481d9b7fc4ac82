"""The requester's client: ask, wait, read. Thread-safe: many jobs may run at once from one wallet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from protocol.encoding import from_hex, to_hex
from protocol.errors import BadInput, ConfigInvalid
from protocol.sampling import CANDIDATES
from protocol.transcript import parse_prompt
from protocol.types import AUDIT_ONE, Transcript
from protocol.units import Address, Digest, Wei
from requester.config import Settings
from requester.errors import JobNotFound
from requester.flow.answers import transcript_of
from requester.flow.disputes import dispute_job, view_dispute
from requester.flow.drive import Patience, await_answer, finish_job, open_job
from requester.flow.forgetting import forget_jobs
from requester.flow.funding import Funds
from requester.flow.opening import abandon
from requester.flow.ordering import sampler_of
from requester.flow.prepare import Request, gather_offers, messages_of
from requester.flow.results import offer_row, result_of
from requester.ports.court import Court, Dispute, DisputePlan
from requester.ports.jobs import Balances, Market
from requester.records.jobs import ENDED, JobResult, Progress, Stage

OnProgress = Callable[[Progress], None]


def _agree(_plan: DisputePlan) -> None:
    return None


def _silent(_progress: Progress) -> None:
    return None


class Client:
    """`Client.connect()` talks to the network of the environment, or to the testnet that runs in this clone."""

    def __init__(self, market: Market, deposit_jobs: int = 10) -> None:
        self._market = market
        self._funds = Funds(market.chain, market.wallet, deposit_jobs)

    @classmethod
    def connect(cls, settings: Settings | None = None, env: Mapping[str, str] | None = None,
                progress: Callable[[str, float], None] | None = None) -> Client:
        """`progress` is told about a model's tokenizer being prepared. Errors: ConfigInvalid, ChainUnreachable."""
        # Here, not above: web3 takes a second to import, and `--help` does not need it.
        from requester.wiring import build_market

        chosen = settings or Settings.from_env(os.environ if env is None else env)
        market = build_market(chosen, progress)
        forget_jobs(market.files, time.time() - chosen.keep_days * 86_400)
        return cls(market, chosen.deposit_jobs)

    @property
    def address(self) -> Address:
        return self._market.wallet.address

    def submit(self, prompt: str | Sequence[tuple[str, str]], *, max_tokens: int = 64, model: str | None = None,
               max_price: int | None = None, provider: str | None = None, duration: int | None = None,
               seed: int | None = None, temperature: float = 0.0, top_p: float = 1.0, top_k: int = CANDIDATES,
               min_tokens: int = 0, audit: str = AUDIT_ONE, label: str = "", room_wait: float = 0.0,
               on_progress: OnProgress | None = None) -> str:
        """Open a job and return its id, 0x. `prompt` is a question, or (role, content) messages of a chat.

        `max_price` bounds the reserve in wei, `duration` is seconds until the provider must have committed,
        `room_wait` seconds to wait for a provider that has no room now, `label` any text to find the job again.
        Greedy at temperature 0; `audit` says who may see the transcript: "open", "one", "canary-only" (nobody, which is
        weaker and takes a provider with a higher stake).
        Errors: Refused, BadInput, BalanceTooLow, GasMissing, ChainRefused, Unavailable, ChainUnreachable.
        """
        messages = messages_of(prompt) if isinstance(prompt, str) else tuple((r, c) for r, c in prompt)
        request = Request(messages, model, max_tokens, None if max_price is None else Wei(max_price),
                          None if provider is None else Address(provider), duration,
                          sampler_of(temperature, top_p, top_k, seed, min_tokens), label, audit)
        file = open_job(request, self._market, self._funds, on_progress or _silent, Patience(room=room_wait))
        return to_hex(file.job_id)

    def wait(self, job_id: str, *, timeout: float | None = None, on_progress: OnProgress | None = None) -> JobResult:
        """Go on with a job, also of an earlier process, until it is SETTLED, REFUNDED or was ABANDONED.

        Errors: JobNotFound, WaitTimeout (nothing is lost: call again), and those of `submit` for a job not open yet.
        """
        file = finish_job(_digest(job_id), self._market, self._funds, on_progress or _silent, Patience(timeout))
        return result_of(file)

    def run(self, prompt: str | Sequence[tuple[str, str]], *, timeout: float | None = None,
            on_progress: OnProgress | None = None, **options: object) -> JobResult:
        """`submit`, then `wait`."""
        job_id = self.submit(prompt, on_progress=on_progress, **options)  # type: ignore[arg-type]
        return self.wait(job_id, timeout=timeout, on_progress=on_progress)

    def result(self, job_id: str) -> JobResult:
        """What is known of a job without asking anybody."""
        return result_of(self._market.files.read(_digest(job_id)))

    def transcript(self, job_id: str, *, timeout: float | None = None,
                   on_progress: OnProgress | None = None) -> tuple[JobResult, Transcript | None]:
        """Go on with a job until its answer is here, whatever becomes of its money, and what an audit would replay:
        every token with its logprobs. None when it ended without an answer. Errors: as `wait`."""
        file = await_answer(_digest(job_id), self._market, self._funds, on_progress or _silent, Patience(timeout))
        return result_of(file), transcript_of(file)

    def labels(self) -> dict[str, str]:
        """The id of the newest job of each label, without the abandoned ones."""
        files = sorted(self._market.files.list(), key=lambda file: file.created_at)
        return {file.label: to_hex(file.job_id) for file in files if file.label and file.stage is not Stage.ABANDONED}

    def list_jobs(self) -> list[JobResult]:
        """All jobs of this wallet and network, newest first."""
        files = sorted(self._market.files.list(), key=lambda file: file.created_at, reverse=True)
        return [result_of(file) for file in files]

    def cancel(self, job_id: str) -> JobResult:
        """Ask for a cancellation: the provider keeps `cancelDelay` seconds to deliver what it finished. A job that is
        not open yet is given up. Errors: BadInput when it has ended or is committed, ChainRefused."""
        file = self._market.files.read(_digest(job_id))
        if file.stage in (Stage.PREPARED, Stage.SENT) and not file.open_raw:
            return result_of(abandon(file, self._market, "Cancelled before it was opened."))
        if file.stage in ENDED or file.stage is Stage.COMMITTED:
            raise BadInput(f"The job is {file.stage}: it can no longer be cancelled.",
                           "A committed job is paid if its audit passes, and refunded otherwise.")
        self._market.wallet.wait(self._market.wallet.send(self._market.chain.cancel_call(file.job)))
        return result_of(self._market.files.read(file.job_id))

    def dispute(self, job_id: str, *, again: bool = False,
                confirm: Callable[[DisputePlan], None] | None = None) -> Dispute:
        """Open the dispute of a committed job, whose bond the wallet pays, or go on with the one that is there: then
        what is due (bond, compensation, award) is collected. `confirm` is told the plan before a bond is paid and
        raises to stop; `again` disputes once more after a case that nobody ruled.

        Errors: JobNotFound, BadInput (not committed, come back, too late), BondMissing, GasMissing, ChainRefused.
        """
        file = self._market.files.read(_digest(job_id))
        return dispute_job(file, self._market, self._court(), self._funds, confirm or _agree, again)

    def case(self, job_id: str) -> Dispute | None:
        """The job's dispute as it stands on-chain, if there is one; nothing is sent. Errors: JobNotFound."""
        file = self._market.files.read(_digest(job_id))
        return None if self._market.court is None else view_dispute(file, self._market, self._market.court)

    def _court(self) -> Court:
        if self._market.court is None:
            raise ConfigInvalid("This client was built without a court.", "Use Client.connect().")
        return self._market.court

    def balances(self) -> Balances:
        """Escrow, wallet, gas; wei."""
        return self._market.chain.balances(self.address)

    def deposit(self, amount: int) -> None:
        """Move `amount` wei from the wallet into the escrow. Errors: BadInput, BalanceTooLow, GasMissing,
        ChainRefused."""
        if amount <= 0:
            raise BadInput("The amount is 0.", "Name an amount above 0.")
        self._funds.deposit(amount)

    def ensure_balance(self, amount: int) -> None:
        """Deposit what the escrow balance lacks of `amount` wei. Errors: BalanceTooLow, GasMissing."""
        self._funds.ensure(amount)

    def withdraw(self, amount: int) -> None:
        """Take `amount` wei of the free balance out of the escrow. Errors: ChainRefused."""
        self._market.wallet.wait(self._market.wallet.send(self._market.chain.withdraw_call(Wei(amount))))

    def offers(self, model: str | None = None) -> list[dict[str, object]]:
        """Every signed offer that an oracle knows: provider, model name, prices in wei per token, limits, expiry."""
        wanted = None if model is None else self._market.models.find(model).digest
        return [offer_row(signed.offer, self._market) for signed in gather_offers(self._market, wanted)]

    def sellers(self, model: str | None = None) -> list[Address]:
        """Providers with an offer for a model, the release's own by default, in the order of their addresses."""
        wanted = self._market.models.find(model).digest
        return sorted({signed.offer.provider for signed in gather_offers(self._market, wanted)})

    def prompt_of(self, job_id: str) -> tuple[tuple[str, str], ...]:
        """The messages that were asked. Errors: JobNotFound, also when they were deleted."""
        file = self._market.files.read(_digest(job_id))
        if not file.prompt:
            raise JobNotFound(f"The prompt of the job {job_id} is not here any more. {file.note}")
        return parse_prompt(file.prompt).messages


def _digest(job_id: str) -> Digest:
    try:
        return Digest(from_hex(job_id, 32, "The job id"))
    except BadInput as error:
        raise JobNotFound(f"'{job_id[:80]}' is no job id.", "A job id is 0x and 64 hex digits.") from error
