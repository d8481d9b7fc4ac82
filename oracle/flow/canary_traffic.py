"""The traffic that an oracle observes, as life lines of wallets, and plans of its own canaries from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from oracle.flow.node import Node
from oracle.records.canaries import CanaryOrder
from oracle.records.work import JobRow
from protocol.canary import plan
from protocol.canary_lines import Line, SeenDeposit, SeenJob, ahead_of
from protocol.encoding import to_hex
from protocol.errors import MallaError
from protocol.sampling import GREEDY
from protocol.sealing import derive_secret
from protocol.transcript import parse_spec
from protocol.types import AUDIT_ONE, Sampler

REMEMBERED = 30 * 86_400
"""Seconds of traffic that are looked at, so that wallets have an age."""
USUAL_AHEAD = 10
"""For how many jobs a requester's program deposits by itself if nobody tells it."""
PURPOSE = "malla/oracle/canaries/v1"


def observe(node: Node, since: float) -> list[Line]:
    """The life lines of all wallets that opened a job since then."""
    jobs: dict[str, list[SeenJob]] = defaultdict(list)
    deposits: dict[str, list[SeenDeposit]] = defaultdict(list)
    for row in node.store.jobs_opened(since):
        jobs[str(row.job.requester)].append(_seen(node, row))
    for account, deposit in node.store.deposits(since):
        deposits[str(account)].append(deposit)
    fee = int(node.chain.parameters().open_fee)
    return [Line(wallet, tuple(deposits[wallet]), tuple(its), ahead_of(deposits[wallet], its, fee))
            for wallet, its in sorted(jobs.items())]


def plan_canaries(node: Node) -> int:
    """Plan this period's canaries once, from the traffic of the last one. Returns how many jobs were planned."""
    rules, now = node.rules, node.clock()
    if rules.canary_share_bps == 0:
        return 0
    period = int(now // rules.canary_period)
    if not node.store.begin_plan(period, now):
        return 0
    wallets = node.store.own_wallets()
    own = {wallet.address: wallet.name for wallet in wallets if not wallet.spent}
    lines = observe(node, now - REMEMBERED)
    begin = float((period - 1) * rules.canary_period)
    made = plan([line for line in lines if line.wallet not in {wallet.address for wallet in wallets}],
                {own[line.wallet]: line for line in lines if line.wallet in own}, begin, float(rules.canary_period),
                rules.canary_share_bps / 10_000, derive_secret(node.seal_secret, f"{PURPOSE}/{period}"))
    used = {line.wallet for line in lines}
    fresh = [name for address, name in own.items() if address not in used]
    orders: list[CanaryOrder] = []
    for line in made:
        name = line.wallet or (fresh.pop() if fresh else "")
        if not name:
            node.log("canary_wallet_missing", period=period, fix="malla oracle canary wallet NAME, and fund it")
            break
        orders += _orders(name, replace(line, jobs=tuple(job for job in line.jobs if job.at > now)))
    node.store.put_canaries(orders)
    node.log("canaries_planned", period=period, lines=len(made), jobs=len(orders), observed=len(lines))
    return len(orders)


def _orders(name: str, line: Line) -> list[CanaryOrder]:
    orders, deposits = [], list(line.deposits)
    for job in line.jobs:
        due = [deposits.pop(0) for _ in range(sum(one.at <= job.at for one in deposits))]
        orders.append(CanaryOrder(
            name, job.at, job.input_tokens, job.max_output_tokens, job.sampler, job.audit, job.provider,
            sum(one.amount for one in due), due[-1].at if due else 0.0, line.jobs_ahead or USUAL_AHEAD, job.model,
        ))
    return orders


def _seen(node: Node, row: JobRow) -> SeenJob:
    signed = node.store.offer(row.job.offer_digest)
    prices: Sequence[int] = (signed.offer.input_price, signed.offer.output_price) if signed else (0, 0)
    model = to_hex(row.model) if row.model else ""
    return SeenJob(float(row.opened_at), row.job.input_tokens, row.job.max_output_tokens, prices[0], prices[1],
                   str(row.job.provider), _sampler(node, row), row.audit or AUDIT_ONE, model)


def _sampler(node: Node, row: JobRow) -> Sampler:
    """As the public spec says; plain where its blob is not here any more."""
    data = node.store.blob(row.job.spec_digest)
    try:
        return replace(parse_spec(data).sampler, seed=0) if data is not None else Sampler(GREEDY, 0)
    except MallaError:
        return Sampler(GREEDY, 0)
