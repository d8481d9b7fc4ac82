"""Digests against eth_account's own EIP-712 encoder, from the type strings, and against eth_abi for the plain ones."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest
from eth_abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import messages
from protocol.encoding import keccak
from protocol.errors import Malformed
from protocol.messages import Domain, entries_hash, head_digest, job_id, session_id, settlement_digest
from protocol.signing import Signer
from protocol.types import AuditRecord, BatchHead, Decision, Entry, Job, Offer, Report, Session, Voucher
from protocol.wire import to_json
from tests.protocol.nouns import (
    CHAIN_ID,
    DOMAIN,
    ESCROW,
    addresses,
    changed,
    decisions,
    digests,
    entries,
    heads,
    jobs,
    offers,
    records,
    reports,
    sessions,
    vouchers,
    whole,
)

FEW = settings(max_examples=25)
SIGNER = Signer(keccak(b"signer"))


def fields_of(type_string: str) -> list[dict[str, str]]:
    inside = re.fullmatch(r"\w+\((.*)\)", type_string)
    assert inside is not None
    return [dict(zip(("type", "name"), part.split(" "), strict=True)) for part in inside[1].split(",")]


def reference(type_string: str, values: dict[str, Any], also: str = "", domain: Domain = DOMAIN) -> bytes:
    """The digest that eth_account computes from the type string and the values by name."""
    name = type_string[: type_string.index("(")]
    types = {name: fields_of(type_string), **({also[: also.index("(")]: fields_of(also)} if also else {})}
    outer = {"name": "Malla", "version": "1", "chainId": domain.chain_id, "verifyingContract": domain.contract}
    message = encode_typed_data(outer, types, values)
    return keccak(b"\x19" + message.version + message.header + message.body)


def by_contract_names(noun: object) -> dict[str, Any]:
    """Fields in the contracts' spelling, in plain values."""
    values = {name: getattr(noun, name) for name in to_json(noun)}
    return {
        re.sub(r"_(\w)", lambda found: found[1].upper(), name): int(value) if isinstance(value, int) else value
        for name, value in values.items()
    }


@FEW
@given(offers)
def test_offer_digest__any_offer__equals_eth_accounts(offer: Offer) -> None:
    assert messages.offer_digest(DOMAIN, offer) == reference(messages.OFFER_TYPE, by_contract_names(offer))


@FEW
@given(reports)
def test_report_digest__any_report__equals_eth_accounts(report: Report) -> None:
    assert messages.report_digest(DOMAIN, report) == reference(messages.REPORT_TYPE, by_contract_names(report))


@FEW
@given(records)
def test_audit_record_digest__any_record__equals_eth_accounts(record: AuditRecord) -> None:
    expected = reference(messages.AUDIT_RECORD_TYPE, by_contract_names(record))
    assert messages.audit_record_digest(DOMAIN, record) == expected


@FEW
@given(whole(16), st.lists(decisions, max_size=3))
def test_settlement_digest__any_list__equals_eth_accounts(set_version: int, listed: list[Decision]) -> None:
    outer = messages.SETTLEMENT_TYPE.removesuffix(messages.DECISION_TYPE)
    values = {"setVersion": set_version, "decisions": [by_contract_names(one) for one in listed]}
    expected = reference(outer, values, also=messages.DECISION_TYPE)
    assert settlement_digest(DOMAIN, set_version, listed) == expected


@FEW
@given(digests, whole(64), whole(16), addresses)
def test_small_digests__any_values__equal_eth_accounts(digest: bytes, batch: int, index: int, address: str) -> None:
    assert messages.storage_receipt_digest(DOMAIN, digest) == reference(
        messages.STORAGE_RECEIPT_TYPE, {"blob": digest})
    opening = {"batchId": batch, "index": index, "auditor": address, "sealed": digest}
    assert messages.opening_digest(DOMAIN, batch, index, address, digest) == reference(messages.OPENING_TYPE, opening)
    consent = {"provider": address, "nodeKey": ESCROW}
    assert messages.node_key_digest(DOMAIN, address, ESCROW) == reference(messages.NODE_KEY_TYPE, consent)


def test_offer_digest__signed_by_eth_account__has_our_signature() -> None:
    offer = offers_example()
    outer = {"name": "Malla", "version": "1", "chainId": CHAIN_ID, "verifyingContract": ESCROW}
    signable = encode_typed_data(outer, {"Offer": fields_of(messages.OFFER_TYPE)}, by_contract_names(offer))
    signed = Account.from_key(keccak(b"signer")).sign_message(signable)
    assert bytes(signed.signature) == SIGNER.sign(messages.offer_digest(DOMAIN, offer))


@FEW
@given(jobs)
def test_job_id__any_job__is_keccak_of_abi_encode(job: Job) -> None:
    values = tuple(by_contract_names(job).values())
    types = "(address,address,bytes32,bytes32,uint32,uint32,uint96,uint64)"
    assert job_id(CHAIN_ID, ESCROW, job) == keccak(encode(["uint256", "address", types], [CHAIN_ID, ESCROW, values]))


@FEW
@given(st.lists(entries, max_size=3))
def test_entries_hash__any_entries__is_keccak_of_abi_encode(listed: list[Entry]) -> None:
    values = [tuple(by_contract_names(entry).values()) for entry in listed]
    assert entries_hash(listed) == keccak(encode(["(bytes32,address,uint96,uint96,bytes32,bytes32)[]"], [values]))


@FEW
@given(whole(64), heads)
def test_head_digest__any_head__is_keccak_of_abi_encode(batch_id: int, head: BatchHead) -> None:
    values = tuple(by_contract_names(head).values())
    types = "(address,uint40,uint40,uint16,uint16,bytes32)"
    assert head_digest(batch_id, head) == keccak(encode(["uint64", types], [batch_id, values]))


@FEW
@given(sessions)
def test_session_id__any_session__is_keccak_of_abi_encode(session: Session) -> None:
    values = tuple(by_contract_names(session).values())
    types = "(address,address,bytes32,address,uint96,uint40,uint64)"
    expected = keccak(encode(["uint256", "address", types], [CHAIN_ID, ESCROW, values]))
    assert session_id(CHAIN_ID, ESCROW, session) == expected


@FEW
@given(digests, vouchers)
def test_voucher_digest__any_voucher__equals_eth_accounts(session: bytes, voucher: Voucher) -> None:
    values = {"session": session, "amount": voucher.amount, "units": voucher.units, "calls": voucher.calls,
              "head": voucher.head, "inFlight": voucher.in_flight}
    assert messages.voucher_digest(DOMAIN, session, voucher) == reference(messages.VOUCHER_TYPE, values)


def offers_example() -> Offer:
    return Offer(ESCROW, keccak(b"m"), keccak(b"p"), 1, 2, 3, 4, 5, 6, 7, 8)  # type: ignore[arg-type]


def report_example() -> Report:
    return Report(*[keccak(bytes([n])) for n in range(4)], 1, 2, 3, keccak(b"t"), 4)  # type: ignore[arg-type, call-arg]


def digest_of_job(domain: Domain, job: Job) -> bytes:
    return job_id(domain.chain_id, domain.contract, job)


def digest_of_session(domain: Domain, session: Session) -> bytes:
    return session_id(domain.chain_id, domain.contract, session)


CASES: list[tuple[Callable[[Domain, Any], bytes], Any]] = [
    (messages.offer_digest, offers_example()),
    (messages.report_digest, report_example()),
    (messages.audit_record_digest, AuditRecord(1, 2, keccak(b"l"), 1, keccak(b"e"))),  # type: ignore[arg-type]
    (digest_of_job, Job(ESCROW, SIGNER.address, keccak(b"o"), keccak(b"s"), 1, 2, 3, 4)),  # type: ignore[arg-type]
    (digest_of_session, Session(ESCROW, SIGNER.address, keccak(b"o"), ESCROW, 1, 2, 3)),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("digest_of", "noun"), CASES, ids=[type(noun).__name__ for _, noun in CASES])
def test_digests__any_one_field_changed__differ(digest_of: Callable[[Domain, Any], bytes], noun: Any) -> None:
    found = {digest_of(DOMAIN, changed(noun, field)) for field in to_json(noun)}
    assert len(found) == len(to_json(noun)) and digest_of(DOMAIN, noun) not in found


@pytest.mark.parametrize(("digest_of", "noun"), CASES, ids=[type(noun).__name__ for _, noun in CASES])
def test_digests__another_chain_or_contract__differ(digest_of: Callable[[Domain, Any], bytes], noun: Any) -> None:
    elsewhere = [Domain(1, ESCROW), Domain(CHAIN_ID, SIGNER.address), DOMAIN]
    assert len({digest_of(domain, noun) for domain in elsewhere}) == 3


@pytest.mark.parametrize("field", ["input_tokens", "amount", "finished_at"])
def test_report_digest__number_that_no_contract_holds__malformed(field: str) -> None:
    with pytest.raises(Malformed, match="does not fit"):
        messages.report_digest(DOMAIN, dataclasses.replace(report_example(), **{field: 2**96}))


@pytest.mark.parametrize("set_version", [-1, 2**16])
def test_settlement_digest__no_set_version__malformed(set_version: int) -> None:
    with pytest.raises(Malformed):
        settlement_digest(DOMAIN, set_version, [])
