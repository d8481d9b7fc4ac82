"""Typed reads of the token and of the chain's own coin."""

from __future__ import annotations

from protocol.chain.views import Views
from protocol.encoding import keccak
from protocol.units import Digest, Wei


class TokenReads(Views):
    """Mixed into `Chain`."""

    def token_balance(self, account: str, block: int | None = None) -> Wei:
        return self._one("token", "balanceOf", [account], block)

    def allowance(self, owner: str, spender: str, block: int | None = None) -> Wei:
        return self._one("token", "allowance", [owner, spender], block)

    def total_supply(self, block: int | None = None) -> Wei:
        return self._one("token", "totalSupply", [], block)

    def genesis_supply(self) -> Wei:
        return self._one("token", "genesisSupply", [], None)

    def gas_balance(self, account: str, block: int | None = None) -> int:
        """Wei of the chain's own coin."""
        return self.rpc.balance(account, block)

    def permit_digest(self, owner: str, spender: str, amount: int, deadline: int) -> Digest:
        """What `owner` signs so that `spender` may take `amount` until `deadline` (ERC-2612, the owner's next nonce).
        """
        kind = b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        nonce = self._one("token", "nonces", [owner], None)
        domain = self._one("token", "DOMAIN_SEPARATOR", [], None)
        words = b"".join(
            bytes.fromhex(word[2:]).rjust(32, b"\0") if isinstance(word, str) else word.to_bytes(32, "big")
            for word in (owner, spender, amount, nonce, deadline)
        )
        return keccak(b"\x19\x01" + domain + keccak(keccak(kind) + words))
