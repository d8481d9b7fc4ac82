"""The opening of a challenge's drawn products: its bytes, what randomness draws, and the verifier's whole check."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from protocol.challenge import OPENED, ChallengeTerms
from protocol.encoding import keccak
from protocol.errors import ProviderFault
from protocol.proofs.freivalds import (
    ROWS,
    Multiply,
    RowOpening,
    build_tree,
    check_product,
    draw_columns,
    draw_distinct,
    require_opening,
)
from protocol.proofs.operands import derive_operand
from protocol.units import Digest

MAGIC = b"MCO1"


@dataclass(frozen=True)
class Opening:
    """The roots of all products, and an answer for each drawn one, in the order drawn."""

    roots: tuple[bytes, ...]
    answers: tuple[RowOpening, ...]

    def pack(self) -> bytes:
        """MCO1 ‖ uint32 products ‖ roots ‖ for each drawn product: Y's digest, rows, paths."""
        said = (part for one in self.answers for part in (one.columns_digest, one.rows, one.paths))
        return b"".join([MAGIC, struct.pack("<I", len(self.roots)), *self.roots, *said])

    @classmethod
    def parse(cls, data: bytes, products: int, terms: ChallengeTerms) -> Opening:
        """Raises ProviderFault unless it has exactly the bytes that an opening of so many products has."""
        expected = opening_bytes(products, terms)
        if len(data) != expected:
            raise ProviderFault("opening_size", f"The opening has {len(data)} bytes instead of {expected}.")
        if data[:8] != MAGIC + struct.pack("<I", products):
            raise ProviderFault("opening_form", f"The opening does not begin as one of {products} products does.")
        at = 8 + 32 * products
        roots = tuple(data[i : i + 32] for i in range(8, at, 32))
        rows, paths = _answer_bytes(terms)
        answers = []
        for _ in range(OPENED):
            cuts = at, at + 32, at + 32 + rows, at + 32 + rows + paths
            answers.append(RowOpening(data[cuts[0] : cuts[1]], data[cuts[1] : cuts[2]], data[cuts[2] : cuts[3]]))
            at = cuts[3]
        return cls(roots, tuple(answers))


def opening_bytes(products: int, terms: ChallengeTerms) -> int:
    """The size of every opening of so many products."""
    return 8 + 32 * products + OPENED * (32 + sum(_answer_bytes(terms)))


def sides_of(products: int) -> int:
    """How many operands a side has at most: product p is A_(p div side) · B_(p mod side)."""
    return isqrt(products - 1) + 1


def draw_products(draw: bytes, products: int) -> tuple[int, ...]:
    return draw_distinct(draw, b"products", OPENED, products)


def draw_rows(draw: bytes, place: int, terms: ChallengeTerms) -> tuple[int, ...]:
    return draw_distinct(columns_seed(draw, place), b"rows", ROWS, terms.width)


def columns_seed(draw: bytes, place: int) -> Digest:
    """The seed of R and of the rows for the product drawn at a place."""
    return keccak(draw + bytes([place]))


def opened_by(roots: Sequence[bytes]) -> Digest:
    """The one root over the roots of the products."""
    return Digest(build_tree(roots)[-1][0])


def check_opening(seed: bytes, draw: bytes, root: bytes, products: int, terms: ChallengeTerms, opening: Opening,
                  multiply: Multiply) -> None:
    """Raises ProviderFault, naming the check, unless the opening shows exact products under the committed root.

    `seed` is `challenge_seed`'s, `draw` `opening_draw`'s; both follow from the chain, so another provider's, another
    window's or another commitment's answer fails here.
    """
    if len(opening.roots) != products or opened_by(opening.roots) != root:
        raise ProviderFault("products_root", f"The roots of the {products} products do not give the committed root.")
    side, width = sides_of(products), terms.width
    for place, product in enumerate(draw_products(draw, products)):
        a = derive_operand(seed, b"A", product // side, width)
        b = derive_operand(seed, b"B", product % side, width)
        columns = draw_columns(columns_seed(draw, place), width)
        y = check_product(a, b, columns, multiply)
        rows = draw_rows(draw, place, terms)
        require_opening(opening.answers[place], opening.roots[product], product, rows, columns, y)


def _answer_bytes(terms: ChallengeTerms) -> tuple[int, int]:
    rows = min(ROWS, terms.width)
    return rows * terms.width * 4, rows * (terms.width.bit_length() - 1) * 32
