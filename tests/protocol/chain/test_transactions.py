from __future__ import annotations

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.chain.records import Call
from protocol.chain.rpc import Fees
from protocol.chain.transactions import Price, bumped_price, first_price, sign, with_margin
from protocol.encoding import keccak
from protocol.signing import Signer

SIGNER = Signer(keccak(b"key"))
TO = Signer(keccak(b"to")).address
fees = st.integers(0, 10**12)


@given(fees, fees, st.integers(1, 10**12))
def test_first_price__any_fees__below_the_cap_and_tip_within(base: int, tip: int, cap: int) -> None:
    price = first_price(Fees(base, tip), cap)
    assert 0 < price.tip <= price.max_fee <= cap


@given(fees, fees, fees, fees, st.integers(1, 10**13))
def test_bumped_price__any_last__an_eighth_more_or_none(last: int, tip: int, base: int, wanted: int, cap: int) -> None:
    before = Price(last + tip + 1, tip)
    after = bumped_price(before, Fees(base, wanted), cap)
    if after is None:
        assert (before.max_fee + before.max_fee // 8 + 1) > cap
        return
    assert after.tip <= after.max_fee <= cap
    assert after.max_fee * 8 >= before.max_fee * 9 and after.tip * 8 >= before.tip * 9


@given(st.integers(21_000, 30_000_000))
def test_with_margin__any_estimate__a_quarter_more(gas: int) -> None:
    assert with_margin(gas) >= gas * 5 / 4


@settings(max_examples=30)
@given(st.integers(0, 2**64 - 1), st.integers(21_000, 2**40), fees, st.integers(0, 10**20), st.binary(max_size=80))
def test_sign__any_transaction__equals_eth_accounts(nonce: int, gas: int, fee: int, value: int, data: bytes) -> None:
    signed = sign(SIGNER, 31337, nonce, gas, Price(fee + 1, fee), Call(TO, data, "what", value))
    expected = Account.from_key(keccak(b"key")).sign_transaction({
        "type": 2, "chainId": 31337, "nonce": nonce, "gas": gas, "maxFeePerGas": fee + 1, "maxPriorityFeePerGas": fee,
        "to": TO, "value": value, "data": data, "accessList": [],
    })
    assert (signed.raw, signed.hash, signed.nonce) == (bytes(expected.raw_transaction), bytes(expected.hash), nonce)
    assert Account.recover_transaction(signed.raw) == SIGNER.address


@pytest.mark.parametrize("nonce", [0, 1, 127, 128, 2**32])
def test_sign__twice__the_same_bytes(nonce: int) -> None:
    made = [sign(SIGNER, 1, nonce, 21_000, Price(2, 1), Call(TO, b"", "what")).raw for _ in range(2)]
    assert made[0] == made[1]
