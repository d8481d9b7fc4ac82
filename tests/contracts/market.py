"""A deployed market with four oracles, two providers and two requesters, and the moves that tests make in it.

Everything is signed and encoded by `protocol`: a test that passes here also says that both sides of the wire agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from brownie import accounts, chain
from eth_abi import encode

from protocol.encoding import keccak
from protocol.messages import (
    Domain,
    job_id,
    node_key_digest,
    offer_digest,
    settlement_digest,
    storage_receipt_digest,
)
from protocol.types import BatchState, Decision, Entry, Job, JobState, Offer, Outcome, RefundReason
from protocol.units import TOKEN
from scripts.plan import plan
from tests.contracts.deployed import deploy
from tests.contracts.expect import at, now
from tests.contracts.nouns import Batch, Opened, Person, Provider, person

INPUT_PRICE, OUTPUT_PRICE = TOKEN // 1000, TOKEN // 200
STAKE = 2_000 * TOKEN
DEPOSIT = 1_000 * TOKEN


class Market:
    """The contracts, the people, and one method for each move."""

    def __init__(self, containers: Any, seated: int = 4) -> None:
        self.treasury = accounts[0]
        self.oracles = [person(f"oracle {place}") for place in range(4)]
        self.providers = [Provider(person(f"owner {n}"), person(f"node {n}")) for n in range(2)]
        self.requesters = [person(f"requester {n}") for n in range(2)]
        self.stranger = person("stranger")
        self.plan = plan("test", str(self.treasury), [oracle.address for oracle in self.oracles])
        self.terms = self.plan.terms
        contracts = deploy(containers, self.plan, self.treasury)
        self.token, self.committee = contracts.MallaToken, contracts.OracleCommittee
        self.staking, self.escrow = contracts.Staking, contracts.JobEscrow
        self.domain = Domain(chain.id, self.escrow.address)
        self.staking_domain = Domain(chain.id, self.staking.address)
        self._nonce = 0
        self.opened: dict[bytes, Any] = {}  # the transaction by job id
        self.commits: dict[int, Any] = {}  # the transaction by batch id
        for oracle in self.oracles[:seated]:
            self.fund(oracle, self.committee, self.plan.seat_stake)
            self.join(oracle)
        for provider in self.providers:
            self.fund(provider.owner, self.staking, 2 * STAKE)
            self.register(provider)
            self.staking.stake(STAKE, {"from": provider.owner.account})
        for requester in self.requesters:
            self.fund(requester, self.escrow, 2 * DEPOSIT)
            self.escrow.deposit(DEPOSIT, {"from": requester.account})

    def fund(self, who: Person, spender: Any, tokens: int) -> None:
        self.token.transfer(who.address, tokens, {"from": self.treasury})
        self.token.approve(spender.address, tokens, {"from": who.account})

    def join(self, oracle: Person) -> Any:
        url = f"https://oracle.example/{oracle.address}"
        return self.committee.join(url, keccak(b"key"), keccak(b"anchor"), {"from": oracle.account})

    def consent(self, provider: Provider) -> bytes:
        return provider.node.signer.sign(
            node_key_digest(self.staking_domain, provider.owner.address, provider.node.address)
        )

    def register(self, provider: Provider) -> Any:
        arguments = (provider.node.address, keccak(b"seal"), keccak(b"metadata"), self.consent(provider))
        return self.staking.register(*arguments, {"from": provider.owner.account})

    def rotate(self, provider: int) -> Provider:
        """Gives the provider a fresh node key; tests go on with the old one unless they take what this returns."""
        self._nonce += 1
        fresh = Provider(self.providers[provider].owner, person(f"fresh node {self._nonce}"))
        arguments = (fresh.node.address, keccak(b"new seal"), self.consent(fresh))
        self.staking.rotateNodeKey(*arguments, {"from": fresh.owner.account})
        return fresh

    def permit(self, owner: Person, spender: Any, amount: int, deadline: int) -> tuple[int, bytes, bytes]:
        """v, r and s of an ERC-2612 permit."""
        types = keccak(b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)")
        values = [
            types,
            owner.address,
            str(spender.address),
            amount,
            self.token.nonces(owner.address),
            deadline,
        ]
        struct = keccak(encode(["bytes32", "address", "address", "uint256", "uint256", "uint256"], values))
        signature = owner.signer.sign(keccak(b"\x19\x01" + bytes(self.token.DOMAIN_SEPARATOR()) + struct))
        return signature[64], signature[:32], signature[32:64]

    def offer(self, provider: int = 0, **changes: Any) -> Offer:
        base = Offer(
            provider=self.providers[provider].owner.address,
            model=keccak(b"model"),
            profile=keccak(b"profile"),
            input_price=INPUT_PRICE,
            output_price=OUTPUT_PRICE,
            max_input_tokens=1_000,
            max_output_tokens=1_000,
            min_duration=100,
            max_outstanding=200 * TOKEN,
            nonce=1,
            expiry=now() + 1_000_000,
        )
        return dataclasses.replace(base, **changes)

    def signed(self, offer: Offer, provider: int = 0) -> bytes:
        return self.providers[provider].node.signer.sign(offer_digest(self.domain, offer))

    def open_arguments(
        self,
        offer: Offer,
        tokens: tuple[int, int] = (100, 200),
        duration: int = 1_000,
        signature: bytes | None = None,
    ) -> tuple[Any, ...]:
        self._nonce += 1
        signature = self.signed(offer) if signature is None else signature
        return dataclasses.astuple(offer), signature, keccak(b"spec"), *tokens, duration, self._nonce

    def open(
        self,
        requester: int = 0,
        provider: int = 0,
        tokens: tuple[int, int] = (100, 200),
        duration: int = 1_000,
    ) -> Opened:
        offer = self.offer(provider)
        arguments = self.open_arguments(offer, tokens, duration, self.signed(offer, provider))
        sent = self.escrow.openJob(*arguments, {"from": self.requesters[requester].account})
        job = Job(
            requester=self.requesters[requester].address,
            provider=offer.provider,
            offer_digest=offer_digest(self.domain, offer),
            spec_digest=keccak(b"spec"),
            input_tokens=tokens[0],
            max_output_tokens=tokens[1],
            price=tokens[0] * INPUT_PRICE + tokens[1] * OUTPUT_PRICE,
            nonce=self._nonce,
        )
        job_hash = job_id(chain.id, str(self.escrow.address), job)
        self.opened[job_hash] = sent
        return Opened(job, job_hash, sent.timestamp, sent.timestamp + duration)

    def commitments(
        self, jobs: Sequence[Opened], amounts: Iterable[int] | None = None
    ) -> list[tuple[Any, ...]]:
        amounts = [job.job.price * 3 // 4 + 1 for job in jobs] if amounts is None else list(amounts)
        return [
            (job.tuple, amount, keccak(b"leaf" + job.id), keccak(b"answer" + job.id))
            for job, amount in zip(jobs, amounts, strict=True)
        ]

    def commit(
        self, jobs: Sequence[Opened], amounts: Iterable[int] | None = None, provider: int = 0
    ) -> Batch:
        lines = self.commitments(jobs, amounts)
        sent = self.escrow.commitBatch(lines, {"from": self.providers[provider].node.account})
        entries = tuple(
            Entry(job.id, job.job.requester, job.job.price, amount, leaf, answer)
            for job, (_, amount, leaf, answer) in zip(jobs, lines, strict=True)
        )
        batch = Batch(self.escrow.batchCount(), entries, sent.timestamp)
        self.commits[batch.id] = sent
        return batch

    def committed(self, count: int = 1, provider: int = 0) -> Batch:
        """A fresh batch of `count` jobs, of both requesters in turn."""
        return self.commit([self.open(n % 2, provider) for n in range(count)], provider=provider)

    def committed_after(self, moment: int) -> Batch:
        """A batch whose job was opened after `moment`: a conviction of that second does not reach it."""
        at(moment + 1)
        return self.committed()

    def quorum(self, digest: bytes, signers: Sequence[int] = (0, 1, 2)) -> list[bytes]:
        """Signatures in ascending order of their signers, as the committee asks for them."""
        chosen = sorted((self.oracles[n].signer for n in signers), key=lambda signer: int(signer.address, 16))
        return [signer.sign(digest) for signer in chosen]

    def settlement(
        self,
        decisions: Sequence[Decision],
        batches: Sequence[Batch],
        version: int = 4,
        signers: Sequence[int] = (0, 1, 2),
    ) -> tuple[Any, ...]:
        """The arguments of `settle`; entries are left out for FRAUD."""
        entries = [
            [] if d.outcome is Outcome.FRAUD else b.tuples for d, b in zip(decisions, batches, strict=True)
        ]
        signatures = self.quorum(settlement_digest(self.domain, version, decisions), signers)
        return version, [dataclasses.astuple(decision) for decision in decisions], entries, signatures

    def settle(self, *batches: Batch, outcome: Outcome = Outcome.PASS) -> Any:
        arguments = self.settlement([batch.decision(outcome) for batch in batches], batches)
        return self.escrow.settle(*arguments, {"from": self.stranger.account})

    def convict(self, batch: Batch) -> Any:
        """Freezes the batch and forfeits it after the appeal window."""
        self.settle(batch, outcome=Outcome.FRAUD)
        at(self.escrow.frozenUntil(batch.id))
        return self.escrow.forfeit(batch.id, batch.tuples, {"from": self.stranger.account})

    def receipts(self, blob: bytes, signers: Sequence[int] = (0, 1)) -> list[bytes]:
        return self.quorum(storage_receipt_digest(self.domain, blob), signers)

    def job_state(self, job: Opened | Entry) -> tuple[JobState, RefundReason]:
        state, reason = self.escrow.job(job.id if isinstance(job, Opened) else job.job_id)[:2]
        return JobState(int(state)), RefundReason(int(reason))

    def batch_state(self, batch: Batch) -> tuple[BatchState, Outcome]:
        state, outcome = self.escrow.batch(batch.id)[5:]
        return BatchState(int(state)), Outcome(int(outcome))

    def free(self, who: Person | str) -> int:
        return self.escrow.balanceOf(who if isinstance(who, str) else who.address)

    def snapshot(self) -> dict[str, int]:
        """Every balance that a move of money can touch, in wei."""
        people = {f"requester {n}": r for n, r in enumerate(self.requesters)}
        people |= {f"provider {n}": p.owner for n, p in enumerate(self.providers)} | {
            "stranger": self.stranger
        }
        balances = {name: self.free(who) for name, who in people.items()}
        for n, provider in enumerate(self.providers):
            balances[f"reserved {n}"] = self.escrow.providerRecord(provider.owner.address)[0]
            balances[f"stake {n}"] = self.staking.slashableStake(provider.owner.address)
        balances |= {"fees": self.escrow.feesToBurn(), "supply": self.token.totalSupply()}
        return balances | {"escrow": self.token.balanceOf(self.escrow.address)}

    def changes(self, before: dict[str, int]) -> dict[str, int]:
        """What moved since the snapshot; nothing else may have."""
        after = self.snapshot()
        return {name: after[name] - before[name] for name in before if after[name] != before[name]}
