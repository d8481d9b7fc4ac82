"""Decoding what strangers write into the contracts."""

from __future__ import annotations

from eth_abi import encode

from protocol.chain.abi import contract_abis


def test_decode__url_that_is_no_utf8__is_read_with_replacements() -> None:
    """An oracle chooses its URL's bytes; they must not keep anybody from reading the committee."""
    seat = (1, 0, 2, b"a" * 32, b"b" * 32, b"http://\xff")
    data = encode(["(uint96,uint40,uint64,bytes32,bytes32,bytes)"], [seat])
    ((*_, url),) = contract_abis()["committee"].decode("oracle", data)
    assert url == "http://\N{REPLACEMENT CHARACTER}"
