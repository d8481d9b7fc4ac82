"""Custom errors as the contracts throw them: the name, the operands and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocol.chain.calls import send_coin
from protocol.chain.records import Call
from protocol.chain.sender import send_and_wait
from protocol.chain.transactions import Price, revert_cause, sign
from protocol.encoding import keccak, to_hex
from protocol.errors import ChainRefused, Unavailable
from protocol.signing import Signer
from protocol.types import Outcome
from protocol.units import TOKEN, Wei
from tests.integration.chain.market import DEPOSIT, ORACLES, STAKE, Market, decision, signer


def refused(market: Market, who: Signer, call: Call) -> ChainRefused:
    with pytest.raises(ChainRefused) as found:
        market.chain.simulate(call, who.address)
    return found.value


def test_simulate__nothing_sent__state_and_nonce_stay(market: Market) -> None:
    before = market.rpc.nonce(market.requester.address)
    found = market.chain.simulate(market.chain.withdraw_balance(TOKEN), market.requester.address)
    assert found.gas > 21_000 and found.result == ()
    assert market.chain.free_balance(market.requester.address) == DEPOSIT
    assert market.rpc.nonce(market.requester.address) == before


def test_withdraw_balance__too_much__tells_both_amounts_and_the_fix(market: Market) -> None:
    found = refused(market, market.requester, market.chain.withdraw_balance(DEPOSIT + 1))
    account = market.requester.address
    assert found.operands == {"account": account, "balance": DEPOSIT, "asked": DEPOSIT + 1}
    assert found.message == (
        f"The escrow holds 1000 free tokens of {account}, 1000.000000000000000001 are needed."
    )
    assert found.fix


OPENINGS: list[tuple[str, Callable[[Market], Call]]] = [
    ("OfferExpired", lambda m: m.opening(offer=m.offer(expiry=1))),
    ("OfferSignatureInvalid", lambda m: m.opening(offer=type(m.offer())(m.offer(nonce=3).offer, m.offer().signature))),
    ("TokensOutOfOffer", lambda m: m.opening(input_tokens=1001)),
    ("DurationOutOfBounds", lambda m: m.opening(duration=59)),
    ("OutstandingTooHigh", lambda m: m.opening(offer=m.offer(max_outstanding=Wei(1)))),
    ("StakeDoesNotDeter", lambda m: m.opening(offer=m.offer(output_price=Wei(10 * TOKEN), max_outstanding=Wei(2**95)))),
    ("ZeroDigest", lambda m: m.opening(spec_digest=bytes(32))),
    ("ZeroPrice", lambda m: m.opening(offer=m.offer(input_price=Wei(0), output_price=Wei(0)))),
]


@pytest.mark.parametrize(("error", "call"), OPENINGS, ids=[error for error, _ in OPENINGS])
def test_open_job__against_a_rule__is_named_and_told(
    market: Market, error: str, call: Callable[[Market], Call]
) -> None:
    found = refused(market, market.requester, call(market))
    assert found.error == error
    assert found.fix and "{" not in found.message and found.message.endswith(".")


def test_open_job__revoked_offer__refused(market: Market) -> None:
    market.send(market.owner, market.chain.revoke_offers(2))
    found = refused(market, market.requester, market.opening())
    operands = {"provider": market.owner.address, "nonce": 1, "offersFrom": 2}
    assert (found.error, found.operands) == ("OfferIsRevoked", operands)


def test_settle__too_few_signatures__the_committees_error_is_decoded(market: Market) -> None:
    batch = market.commit([market.open().job])
    call = market.settling([decision(batch)], [batch.entries], signers=2)
    found = refused(market, market.owner, call)
    assert (found.error, found.operands) == ("TooFewSignatures", {"given": 2, "needed": 3})


def test_settle__signature_of_a_stranger__refused_with_its_address(market: Market) -> None:
    batch = market.commit([market.open().job])
    listed = [decision(batch, Outcome.FRAUD)]
    good = market.settling(listed, [[]])
    assert market.chain.simulate(good, market.owner.address).gas > 0
    ORACLES.append(signer("stranger"))
    try:
        found = refused(market, market.owner, market.settling(listed, [[]], signers=5))
    finally:
        ORACLES.pop()
    assert found.error == "SignerNotMember" and found.operands["setVersion"] == 4


def test_cancel_job__unknown_job__state_is_told_by_name(market: Market) -> None:
    opened = market.open()
    market.send(market.node, market.chain.decline_job(opened.job))
    found = refused(market, market.requester, market.chain.cancel_job(opened.job))
    assert found.operands == {"jobId": to_hex(opened.job_id), "state": "REFUNDED"}


def test_stake__without_allowance__the_tokens_error_is_decoded(market: Market) -> None:
    found = refused(market, market.owner, market.chain.stake(STAKE))
    assert found.error == "ERC20InsufficientAllowance"
    assert found.operands == {"spender": market.chain.deployment.staking, "allowance": 0, "needed": STAKE}


def test_join__no_seat__refused(market: Market) -> None:
    found = refused(market, market.owner, market.chain.join("http://x", keccak(b"k"), keccak(b"a")))
    assert (found.error, found.operands) == ("NoSeat", {"oracle": market.owner.address})


def test_send_and_wait__account_without_coin__insufficient_funds(market: Market) -> None:
    with pytest.raises(ChainRefused) as found:
        market.send(signer("poor"), send_coin(market.owner.address, 1))
    assert found.value.error == "InsufficientFunds" and found.value.fix


def test_send_and_wait__no_block_comes__unavailable_with_the_hash(market: Market) -> None:
    market.rpc.request("evm_setAutomine", [False])
    told: list[str] = []
    with pytest.raises(Unavailable, match="is not confirmed after 1 s"):
        send_and_wait(
            market.chain, market.requester, market.chain.withdraw_balance(1), timeout=1, on_progress=told.append
        )
    assert len(told) == 1 and told[0].startswith("Sent 0x")


def test_revert_cause__mined_but_reverted__the_decoded_error(market: Market) -> None:
    everything = market.chain.withdraw_balance(DEPOSIT)
    market.send(market.requester, everything)
    nonce = market.rpc.nonce(market.requester.address)
    signed = sign(market.requester, 31337, nonce, 200_000, Price(10**10, 1), everything)
    market.rpc.send_raw(signed.raw)
    market.rpc.request("evm_mine", [])
    receipt = market.rpc.receipt(signed.hash)
    assert receipt is not None and not receipt.succeeded
    cause = revert_cause(market.chain, everything, market.requester.address, 200_000, receipt)
    assert (cause.error, cause.operands["balance"]) == ("BalanceTooLow", 0)
