"""A provider's api and worker over fakes, and a payer before them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi.testclient import TestClient

from protocol.encoding import to_hex
from protocol.envelope import CallRequest, seal_request
from protocol.messages import offer_digest
from protocol.types import SignedOffer
from provider.api import build_api
from provider.edges.fake_journal import FakeJournal
from provider.edges.fakes import DOMAIN, FakeCounter, FakeKeys
from provider.flow.admission import Admission
from provider.flow.calling import call
from provider.flow.patience import Patience
from provider.ports.work import Log
from tests.provider.session_world import NOW, OFFER
from tests.provider.test_api import SETTINGS
from tests.provider.test_calling import Desk
from tests.provider.world import OWNER, SERVED, SHELF

CHAT = "/v1/chat/completions"


@dataclass
class Shop:
    """A provider's api over fakes, and a payer before it. The worker runs a call as soon as it is told."""

    desk: Desk = field(default_factory=Desk)
    streams: int = 2
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.payer, self.sessions, self.replies = self.desk.payer, self.desk.sessions, self.desk.replies
        self.keys, self.journal, self.counter = FakeKeys(), FakeJournal(), FakeCounter()
        self.journal.beat("worker", NOW, {})
        self.journal.keep_offer(offer_digest(DOMAIN, OFFER), SignedOffer(OFFER, b""), True)
        self.replies.work = lambda identity: call(self.desk.calling, identity)

    @property
    def admission(self) -> Admission:
        patience = Patience(self.desk.leavers, self.desk.clock)
        made = Admission(OWNER, DOMAIN, SHELF, self.sessions, self.journal, {SERVED.model: self.counter}, self.keys,
                         self.replies, self.desk.clock, Log(), patience, self.streams)
        return replace(made, **self.changes)

    @property
    def client(self) -> TestClient:
        api = build_api(SETTINGS, self.journal, self.desk.clock, self.admission, self.replies)
        return TestClient(api, raise_server_exceptions=False)

    def body(self, request: CallRequest, key: bytes | None = None) -> dict[str, str]:
        sealed = seal_request(request, key or self.keys.encryption_key)
        return {"session": to_hex(self.payer.id), "sealed": base64.b64encode(sealed).decode()}

    def ask(self, request: CallRequest, path: str = CHAT) -> Any:
        return self.client.post(path, json=self.body(request))
