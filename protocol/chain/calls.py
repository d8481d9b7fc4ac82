"""What can be sent to the contracts, as `Call`s: encoded, described, not sent. Nothing here touches the network."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.chain.court_calls import CourtCalls, in_signer_order
from protocol.chain.records import Call
from protocol.messages import (
    decision_tuple,
    entry_tuple,
    head_tuple,
    job_tuple,
    session_tuple,
    settlement_digest,
    storage_receipt_digest,
)
from protocol.signing import compact
from protocol.types import (
    BatchHead,
    Commitment,
    Decision,
    Entry,
    InFlightClaim,
    Job,
    Offer,
    Session,
    SignedOffer,
    Voucher,
)
from protocol.units import Address, in_tokens

NATIVE = b""
"""Call data of a plain transfer of the chain's coin."""


class Calls(CourtCalls):
    """Mixed into `Chain`. Amounts are wei, durations seconds; a digest, a key and a leaf have 32 bytes."""

    # token
    def approve(self, spender: str, amount: int) -> Call:
        return self._call("token", "approve", [spender, amount], f"Allow {spender} to take {in_tokens(amount)} tokens.")

    def transfer(self, to: str, amount: int) -> Call:
        return self._call("token", "transfer", [to, amount], f"Send {in_tokens(amount)} tokens to {to}.")

    # escrow: balances
    def deposit(self, amount: int) -> Call:
        return self._call("escrow", "deposit", [amount], f"Deposit {in_tokens(amount)} tokens in the escrow.")

    def deposit_with_permit(self, amount: int, deadline: int, signature: bytes) -> Call:
        """`signature` is the depositor's over `Chain.permit_digest(owner, escrow, amount, deadline)`."""
        arguments = [amount, deadline, *_vrs(signature)]
        return self._call("escrow", "depositWithPermit", arguments, f"Deposit {in_tokens(amount)} tokens by permit.")

    def withdraw_balance(self, amount: int) -> Call:
        return self._call("escrow", "withdraw", [amount], f"Withdraw {in_tokens(amount)} tokens from the escrow.")

    # escrow: jobs
    def revoke_offers(self, below: int) -> Call:
        return self._call("escrow", "revokeOffers", [below], f"Revoke every offer with a nonce below {below}.")

    def open_job(self, offer: SignedOffer, spec_digest: bytes, input_tokens: int, max_output_tokens: int,
                 duration: int, nonce: int) -> Call:
        counts = [input_tokens, max_output_tokens, duration, nonce]
        arguments = [offer_tuple(offer.offer), offer.signature, spec_digest, *counts]
        what = f"Open a job of {input_tokens} + {max_output_tokens} tokens with {offer.offer.provider}."
        return self._call("escrow", "openJob", arguments, what)

    def decline_job(self, job: Job) -> Call:
        return self._call("escrow", "declineJob", [job_tuple(job)], f"Decline a job of {job.requester}.")

    def cancel_job(self, job: Job) -> Call:
        return self._call("escrow", "cancelJob", [job_tuple(job)], "Ask for a job's cancellation.")

    def refund_job(self, job: Job) -> Call:
        what = f"Return {in_tokens(job.price)} tokens to {job.requester}."
        return self._call("escrow", "refundJob", [job_tuple(job)], what)

    # escrow: sessions
    def open_session(self, offer: SignedOffer, cap: int, duration: int, key: str, nonce: int) -> Call:
        """`key` is the sub-key that may sign vouchers, or the zero address."""
        arguments = [offer_tuple(offer.offer), offer.signature, cap, duration, key, nonce]
        what = f"Reserve {in_tokens(cap)} tokens for a session with {offer.offer.provider}."
        return self._call("escrow", "openSession", arguments, what)

    def top_up_session(self, session: Session, amount: int) -> Call:
        what = f"Reserve {in_tokens(amount)} tokens more for a session."
        return self._call("escrow", "topUpSession", [session_tuple(session), amount], what)

    def close_session(self, session: Session) -> Call:
        return self._call("escrow", "closeSession", [session_tuple(session)], "Begin to close a session.")

    def finish_session(self, session: Session) -> Call:
        what = f"Return what is left of a session to {session.requester}."
        return self._call("escrow", "finishSession", [session_tuple(session)], what)

    def authorise_key(self, key: str, cap: int, ends_at: int, models: Sequence[bytes] = ()) -> Call:
        what = f"Let {key} sign vouchers for up to {in_tokens(cap)} tokens."
        return self._call("escrow", "authoriseKey", [key, cap, ends_at, list(models)], what)

    def revoke_key(self, key: str) -> Call:
        return self._call("escrow", "revokeKey", [key], f"Let {key} sign no vouchers any more.")

    # escrow: work batches
    def commit_batch(self, commitments: Sequence[Commitment], vouchers: Sequence[Voucher] = (),
                     claims: Sequence[InFlightClaim] = ()) -> Call:
        """Every voucher that names calls in flight needs one of `claims`, which stand in the order of the vouchers."""
        rows = [(job_tuple(c.job), c.amount, c.leaf, c.answer_digest) for c in commitments]
        totals = [(session_tuple(v.session), v.amount, v.units, v.calls, v.head, v.in_flight, *compact(v.signature))
                  for v in vouchers]
        claimed = [(claim.voucher, claim.amount, claim.units, list(claim.links)) for claim in claims]
        what = f"Commit a work batch of {len(rows)} jobs" + (f" and {len(totals)} vouchers." if totals else ".")
        return self._call("escrow", "commitBatch", [rows, totals, claimed], what)

    def settle(self, set_version: int, decisions: Sequence[Decision], heads: Sequence[BatchHead],
               entries_lists: Sequence[Sequence[Entry]], signatures: Sequence[bytes]) -> Call:
        """One head and one list of entries a decision, the list empty for FRAUD and NOT_OPENED; signatures are put into
        the contract's order."""
        rows = [decision_tuple(decision) for decision in decisions]
        lists = [[entry_tuple(entry) for entry in entries] for entries in entries_lists]
        ordered = in_signer_order(settlement_digest(self.domain, set_version, decisions), signatures)
        arguments = [set_version, rows, [head_tuple(head) for head in heads], lists, ordered]
        return self._call("escrow", "settle", arguments, f"Settle {len(rows)} work batches.")

    def post_openings(self, batch_id: int, head: BatchHead, openings: Sequence[bytes]) -> Call:
        """Each opening as `protocol.openings.pack_opening` writes it."""
        what = f"Show {len(openings)} openings of batch {batch_id} to everybody."
        return self._call("escrow", "postOpenings", [batch_id, head_tuple(head), list(openings)], what)

    def record_stored(self, batch_id: int, head: BatchHead, entries: Sequence[Entry], indexes: Sequence[int],
                      signatures: Sequence[Sequence[bytes]]) -> Call:
        """Storage receipts for the answers at `indexes`: one list of f + 1 signatures each, in any order."""
        ordered = [
            in_signer_order(storage_receipt_digest(self.domain, entries[index].answer_digest), list(receipts))
            for index, receipts in zip(indexes, signatures, strict=True)
        ]
        arguments = [*_batch(batch_id, head, entries), list(indexes), ordered]
        what = f"Record {len(ordered)} stored answers of batch {batch_id}."
        return self._call("escrow", "recordStored", arguments, what)

    def mature_by_default(self, batch_id: int, head: BatchHead, entries: Sequence[Entry]) -> Call:
        what = f"Mature batch {batch_id} by its stored answers."
        return self._call("escrow", "matureByDefault", _batch(batch_id, head, entries), what)

    def forfeit(self, batch_id: int, head: BatchHead, entries: Sequence[Entry]) -> Call:
        return self._call("escrow", "forfeit", _batch(batch_id, head, entries), f"Forfeit batch {batch_id}.")

    def burn_fees(self) -> Call:
        return self._call("escrow", "burnFees", [], "Burn the fees taken so far.")

    # staking
    def register(self, node_key: str, encryption_key: bytes, metadata_digest: bytes, node_key_signature: bytes) -> Call:
        """The signature is the node key's over `messages.node_key_digest(chain.staking_domain, owner, node_key)`."""
        arguments = [node_key, encryption_key, metadata_digest, node_key_signature]
        return self._call("staking", "register", arguments, f"Register as a provider with the node key {node_key}.")

    def rotate_node_key(self, node_key: str, encryption_key: bytes, node_key_signature: bytes) -> Call:
        arguments = [node_key, encryption_key, node_key_signature]
        return self._call("staking", "rotateNodeKey", arguments, f"Replace the node key by {node_key}.")

    def set_metadata(self, metadata_digest: bytes) -> Call:
        return self._call("staking", "setMetadata", [metadata_digest], "Publish the digest of the provider's metadata.")

    def stake(self, amount: int) -> Call:
        return self._call("staking", "stake", [amount], f"Stake {in_tokens(amount)} tokens.")

    def stake_with_permit(self, amount: int, deadline: int, signature: bytes) -> Call:
        """`signature` is the owner's over `Chain.permit_digest(owner, staking, amount, deadline)`."""
        arguments = [amount, deadline, *_vrs(signature)]
        return self._call("staking", "stakeWithPermit", arguments, f"Stake {in_tokens(amount)} tokens by permit.")

    def unstake(self, amount: int) -> Call:
        return self._call("staking", "unstake", [amount], f"Begin to unstake {in_tokens(amount)} tokens.")

    def withdraw_stake(self) -> Call:
        return self._call("staking", "withdraw", [], "Withdraw every unstaking whose delay is over.")

    def burn_condemned(self) -> Call:
        return self._call("staking", "burnCondemned", [], "Burn what slashes condemned so far.")

    # rewards
    def claim_reward(self, provider: str) -> Call:
        return self._call("rewards", "claim", [provider], f"Pay {provider} its rewards of closed epochs.")

    # committee
    def join(self, url: str, encryption_key: bytes, anchor: bytes) -> Call:
        what = f"Take the oracle's seat, reachable at {url}."
        return self._call("committee", "join", [url, encryption_key, anchor], what)

    def resign(self) -> Call:
        return self._call("committee", "resign", [], "Resign from the oracle's seat.")

    def withdraw_seat(self) -> Call:
        return self._call("committee", "withdraw", [], "Withdraw the stake of the oracle's seat.")

    def set_url(self, url: str) -> Call:
        return self._call("committee", "setUrl", [url], f"Publish {url} as the oracle's address.")


def send_coin(to: Address, wei: int) -> Call:
    """A plain transfer of the chain's coin, which pays for gas."""
    return Call(to, NATIVE, f"Send {in_tokens(wei)} of the chain's coin to {to}.", wei)


def offer_tuple(offer: Offer) -> tuple[object, ...]:
    return (
        offer.provider, offer.model, offer.profile, offer.input_price, offer.output_price, offer.max_input_tokens,
        offer.max_output_tokens, offer.min_duration, offer.max_outstanding, offer.nonce, offer.expiry,
    )


def _batch(batch_id: int, head: BatchHead, entries: Sequence[Entry]) -> list[object]:
    return [batch_id, head_tuple(head), [entry_tuple(entry) for entry in entries]]


def _vrs(signature: bytes) -> tuple[int, bytes, bytes]:
    return signature[64], signature[:32], signature[32:64]
