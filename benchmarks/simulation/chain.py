"""A market of agents on the real contracts, a block at a time, and the same moves in the ledger beside it.

Every draw is the protocol's own: hash of the commit block + drawDelay, reveals of the four oracles, audit rate from the
fees that the provider's matured work has burned. At the end every balance of the contracts must be the ledger's, to the
wei. What the chain cannot know is whether a job was cheated and whether an audit of it convicts: that is thrown by the
same odds as in the model.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.simulation.agents import Strategy
from benchmarks.simulation.ledger import Ledger, Line
from benchmarks.simulation.market import SEATS
from benchmarks.simulation.net import PURSE, Block, Net, Provider
from benchmarks.simulation.players import CHEATS, PRICE, Played, Player
from protocol import economics
from protocol.chain.events import BatchCommitted, JobOpened
from protocol.draw import audit_rate, draw
from protocol.encoding import keccak
from protocol.errors import ChainRefused
from protocol.messages import entries_hash
from protocol.signing import Signer
from protocol.types import Commitment, Decision, Job, Outcome
from protocol.units import TOKEN, Wei

ROUNDS = 60
REQUESTS = 3_000 * TOKEN


@dataclass(frozen=True)
class Result:
    jobs: int
    transactions: int
    balances: int
    """Compared between contracts and ledger."""
    differences: tuple[str, ...]
    refusal: str
    """Of a job whose provider stakes one wei less than the bound asks for."""
    players: tuple[Played, ...]


class Game:
    """Rounds of: open, commit, draw, settle, forfeit."""

    def __init__(self, net: Net, seed: int = 1) -> None:
        self.net, self.random = net, random.Random(seed)
        self.ledger = Ledger(net.plan, net.deployed_at)
        self.terms = net.plan.terms
        self.stake = economics.needed_stake(PRICE, self.terms.slash_bps, self.terms.challenger_bps,
                                            self.terms.detection_bps)
        for oracle in net.oracles:
            self.ledger.wallets[oracle.address] = PURSE - net.plan.seat_stake
        self.requester = self._requester("requester")
        self.players = [self._player(agent, self.requester, agent.batch if agent.batch > 1 else 10)
                        for agent in CHEATS]
        washer = Strategy("hires itself")
        self.players.append(self._player(washer, self._requester("wash"), 10))
        self.griefer = self._requester("griefer")
        self._nonce = self._names = 0

    def play(self, rounds: int = ROUNDS) -> Result:
        for _ in range(rounds):
            self._round()
        self._grieve(self.players[0])
        end = self.net.pass_time(self.net.plan.schedule.epoch_length)
        self._claim(end)
        compared, differences = self._compare()
        players = tuple(map(self._played, self.players))
        jobs = sum(player.jobs for player in self.players)
        return Result(jobs, self.net.sent, compared, tuple(differences), self._refusal(), players)

    def _round(self) -> None:
        net = self.net
        calls, wanted = [], []
        for player in self.players:
            offer = net.offer(player.identity)
            for _ in range(player.batch):
                self._nonce += 1
                calls.append((player.requester.address, net.opening(offer, self._nonce)))
                self.ledger.open(player.requester.address, PRICE)
        opened = [found.event for found in net.send(calls).events if isinstance(found.event, JobOpened)]
        assert len(opened) == len(calls), f"{len(opened)} of {len(calls)} jobs are in the block."
        for player in self.players:
            jobs = [one.job for one in opened if one.job.provider == player.identity.owner.address]
            wanted.append((player.identity.node.address, net.chain.commit_batch([_work(job) for job in jobs])))
        block = net.send(wanted)
        committed = {e.event.provider: e.event for e in block.events if isinstance(e.event, BatchCommitted)}
        drawn_at = net.mine(self.terms.draw_delay)
        batches = [committed[player.identity.owner.address] for player in self.players]
        self._settle(batches, block, net.chain.block(block.number + self.terms.draw_delay).hash, drawn_at)  # type: ignore[union-attr]

    def _settle(self, batches: list[BatchCommitted], block: Block, block_hash: bytes, now: Block) -> None:
        net, decisions, seats = self.net, [], {}
        for player, batch in zip(self.players, batches, strict=True):
            rate = audit_rate(self.ledger.matured_burn[batch.provider], self.terms.audit_bps)
            found = draw(batch.batch_id, [entry.leaf for entry in batch.entries], block_hash,
                         net.reveals_of(block.number), rate)
            assert found.seed is not None
            named = 0
            for index in found.drawn:
                named |= 1 << found.auditors[index]
            seats[batch.batch_id] = [net.oracles[seat].address for seat in range(SEATS) if named >> seat & 1]
            outcome = Outcome.FRAUD if player.work(found.drawn, self.random) else Outcome.PASS
            amount = sum(entry.amount for entry in batch.entries) if outcome is Outcome.PASS else 0
            decisions.append(Decision(batch.batch_id, entries_hash(batch.entries), outcome, Wei(amount), named))
        submitter = net.oracles[0].address
        mined = net.send([(submitter, net.settling(decisions, [(batch, block) for batch in batches]))])
        paid = submitter if net.turn(mined.number) == submitter else None
        for batch, decision in zip(batches, decisions, strict=True):
            if decision.outcome is Outcome.PASS:
                self.ledger.mature(batch.provider, _lines(batch), seats[batch.batch_id], paid, mined.timestamp)
        guilty = [(player, batch) for player, batch, decision in zip(self.players, batches, decisions, strict=True)
                  if decision.outcome is Outcome.FRAUD]
        if guilty:
            net.pass_time(self.terms.appeal_window)
        for player, batch in guilty:
            head = batch.head(block.number, block.timestamp)
            net.send([(submitter, net.chain.forfeit(batch.batch_id, head, batch.entries))])
            self.ledger.forfeit(batch.provider, _lines(batch), seats[batch.batch_id], True)
            player.convictions += 1
            self._restore(player)
        if guilty:
            net.pass_time(1)  # what was opened in the second of a conviction is convicted
        for player in self.players:
            if player.agent.lives_for and player.age >= player.agent.lives_for:
                self._renew(player)

    def _restore(self, player: Player) -> None:
        """Goes on under a new name, or fills its stake up again."""
        if player.agent.renews_when_convicted:
            return self._renew(player)
        owner = player.identity.owner.address
        missing = self.stake - self.ledger.stakes[owner]
        self.net.stake(owner, missing)
        self.ledger.stake(owner, missing)

    def _renew(self, player: Player) -> None:
        player.identity, player.age = self._identity(), 0
        player.owners.append(player.identity.owner.address)

    def _grieve(self, victim: Player) -> None:
        """Ten jobs whose prompt is never sent: the provider declines, and the griefer is ten open fees poorer."""
        net, griefer = self.net, self.griefer.address
        offer = net.offer(victim.identity)
        first = self._nonce + 1
        self._nonce += 10
        block = net.send([(griefer, net.opening(offer, nonce)) for nonce in range(first, first + 10)])
        jobs = [found.event.job for found in block.events if isinstance(found.event, JobOpened)]
        net.send([(victim.identity.node.address, net.chain.decline_job(job)) for job in jobs])
        for _ in jobs:
            self.ledger.open(griefer, PRICE)
            self.ledger.refund(griefer, PRICE)

    def _refusal(self) -> str:
        """What the escrow answers when less than the needed stake stands behind a job."""
        its = self.net.provider("a wei short", self.stake - 1)
        try:
            self.net.chain.simulate(self.net.opening(self.net.offer(its), 1), self.requester.address)
        except ChainRefused as refused:
            return refused.error
        return ""

    def _claim(self, end: Block) -> None:
        for player in self.players:
            for owner in player.owners:
                if self.ledger.claim(owner, end.timestamp):
                    self.net.send([(owner, self.net.chain.claim_reward(owner))])

    def _compare(self) -> tuple[int, list[str]]:
        chain, book = self.net.chain, self.ledger
        owners = [owner for player in self.players for owner in player.owners]
        everybody = [*owners, self.requester.address, self.griefer.address, self.players[-1].requester.address]
        everybody += [oracle.address for oracle in self.net.oracles]
        pairs = [(f"wallet of {one}", chain.token_balance(one), book.wallets[one]) for one in everybody]
        pairs += [(f"balance of {one}", chain.free_balance(one), book.free[one]) for one in everybody]
        pairs += [(f"stake of {one}", chain.provider(one).active, book.stakes[one]) for one in owners]
        pairs += [("fees to burn", chain.fees_to_burn(), book.fees), ("exposure", chain.exposure(), book.exposure),
                  ("condemned", chain.condemned(), book.condemned)]
        wrong = [f"{what}: {there} on the chain, {here} here" for what, there, here in pairs if there != here]
        return len(pairs), wrong

    def _played(self, player: Player) -> Played:
        wealth = sum(self.ledger.wealth(owner) - PURSE for owner in player.owners) - player.spent
        if player.requester is not self.requester:  # it pays itself: what it deposited and did not get back is gone
            wealth += self.ledger.wealth(player.requester.address) - PURSE + player.spent
        return Played(player.agent.name, player.jobs, player.cheated, player.audited, player.convictions,
                      len(player.owners), wealth / PRICE / player.jobs)

    def _requester(self, name: str) -> Signer:
        one = Signer(keccak(name.encode()))
        self.net.fund(one)
        self.net.deposit(one.address, REQUESTS)
        self.ledger.wallets[one.address] = PURSE
        self.ledger.deposit(one.address, REQUESTS)
        return one

    def _player(self, agent: Strategy, requester: Signer, batch: int) -> Player:
        identity = self._identity(agent.name)
        return Player(agent, identity, requester, batch, [identity.owner.address])

    def _identity(self, name: str | None = None) -> Provider:
        if name is None:
            self._names += 1
        its = self.net.provider(name or f"identity {self._names}", self.stake)
        self.ledger.wallets[its.owner.address] = PURSE
        self.ledger.stake(its.owner.address, self.stake)
        return its


def _work(job: Job) -> Commitment:
    """Its leaf and answer are fixed before the draw, as the contract asks."""
    return Commitment(job, job.price, keccak(job.spec_digest), keccak(b"answer" + job.spec_digest))


def _lines(batch: BatchCommitted) -> list[Line]:
    return [Line(entry.requester, entry.price, entry.amount) for entry in batch.entries]
