"""One step of the loop: from the chain to rows, from rows to work, from work to the chain."""

from __future__ import annotations

from collections.abc import Callable

from oracle.flow.blobs import read_specs, sweep
from oracle.flow.call_draw import make_units
from oracle.flow.canaries import want_canaries
from oracle.flow.challenges import want_checks
from oracle.flow.chores import do_chores
from oracle.flow.confirmations import reveal_findings
from oracle.flow.exchange import deliver
from oracle.flow.findings import want_audits
from oracle.flow.node import Node
from oracle.flow.receipts import read_settlements
from oracle.flow.reviews import want_reviews
from oracle.flow.rulings import propose_rulings
from oracle.flow.sampling import draw_batches, publish_reveals
from oracle.flow.session_reports import read_posted, read_terms
from oracle.flow.settlement import propose
from oracle.records.work import WatchRow
from protocol.errors import MallaError

SWEEP_EVERY = 60.0


class Loop:
    """Holds nothing that a restart would lose, but the time of the last sweep."""

    def __init__(self, node: Node, follow: Callable[[], int]) -> None:
        """`follow` applies what became final and returns the last block applied."""
        self._node, self._follow = node, follow
        self._swept = 0.0

    def step(self) -> None:
        """Everything that is due, once. What fails is logged and tried again in the next step.

        Raises what `follow` raises, except that the chain does not answer: a re-org below the cursor must halt.
        """
        node = self._node
        block = self._follow()
        head = node.chain.head()
        node.store.beat(WatchRow(block, head.number, node.clock()))
        self._attempt("read_specs", lambda: read_specs(node))
        self._attempt("publish_reveals", lambda: publish_reveals(node, block))
        self._attempt("draw_batches", lambda: draw_batches(node, block))
        self._attempt("read_terms", lambda: read_terms(node))
        self._attempt("read_posted", lambda: read_posted(node))
        self._attempt("make_units", lambda: make_units(node))
        self._attempt("want_audits", lambda: want_audits(node))
        self._attempt("want_reviews", lambda: want_reviews(node))
        self._attempt("want_checks", lambda: want_checks(node))
        self._attempt("want_canaries", lambda: want_canaries(node))
        self._attempt("reveal_findings", lambda: reveal_findings(node))
        self._attempt("deliver", lambda: deliver(node))
        self._attempt("propose", lambda: propose(node))
        self._attempt("propose_rulings", lambda: propose_rulings(node))
        self._attempt("do_chores", lambda: do_chores(node))
        self._attempt("pump", node.sender.pump)
        self._attempt("read_settlements", lambda: read_settlements(node))
        if node.clock() - self._swept > SWEEP_EVERY:
            self._swept = node.clock()
            self._attempt("sweep", lambda: sweep(node))

    def _attempt(self, what: str, act: Callable[[], object]) -> None:
        try:
            act()
        except MallaError as error:
            self._node.log("step_failed", step=what, error=error.message, code=error.code)
