"""Four oracles as small HTTP servers: they take everything, remember it, and can be told to refuse or to be away."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from protocol.encoding import keccak, to_hex
from protocol.messages import Domain, storage_receipt_digest
from protocol.sealing import derive_secret, public_key
from protocol.signing import Signer


@dataclass
class FakeOracle:
    """What one oracle holds; `refuse` maps a path's beginning to the (status, code) with which it is refused."""

    signer: Signer
    domain: Domain
    blobs: dict[str, bytes] = field(default_factory=dict)
    reports: list[dict[str, Any]] = field(default_factory=list)
    offers: list[dict[str, Any]] = field(default_factory=list)
    openings: list[dict[str, Any]] = field(default_factory=list)
    session_reports: list[dict[str, Any]] = field(default_factory=list)
    listings: list[dict[str, Any]] = field(default_factory=list)
    wanted: list[dict[str, Any]] = field(default_factory=list)
    reveals: dict[int, bytes] = field(default_factory=dict)
    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)
    url: str = ""

    @property
    def secret(self) -> bytes:
        return derive_secret(keccak(self.signer.address.encode()), "malla/oracle/x25519/v1")

    @property
    def encryption_key(self) -> bytes:
        return public_key(self.secret)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        for beginning, (status, code) in self.refuse.items():
            if path.startswith(beginning):
                return status, _json({"error": {"code": code, "message": "not now", "fix": ""}})
        if path.startswith("/v1/blobs/"):
            return self._blob(method, path.rpartition("/")[2], body)
        if path.startswith("/v1/openings/wanted"):
            return 200, _json({"auditor": self.signer.address, "encryption_key": to_hex(self.encryption_key),
                               "wanted": self.wanted})
        if path.startswith("/v1/reveals/"):
            reveal = self.reveals.get(int(path.rpartition("/")[2]))
            return (404, _json({"error": {"code": "not_ready", "message": "", "fix": ""}})) if reveal is None else (
                200, _json({"oracle": self.signer.address, "reveal": to_hex(reveal)}))
        kept = {"/v1/reports": self.reports, "/v1/offers": self.offers, "/v1/openings": self.openings,
                "/v1/session-reports": self.session_reports, "/v1/listings": self.listings}[path]
        kept.append(json.loads(body))
        return 202, b"{}"

    def _blob(self, method: str, digest: str, body: bytes) -> tuple[int, bytes]:
        if method == "GET":
            return (200, self.blobs[digest]) if digest in self.blobs else (404, b"")
        self.blobs[to_hex(keccak(body))] = body
        signature = self.signer.sign(storage_receipt_digest(self.domain, keccak(body)))
        return 201, _json({"digest": digest, "signature": to_hex(signature)})


def serve(oracle: FakeOracle) -> ThreadingHTTPServer:
    """Start answering on a free port; `oracle.url` says where."""

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, data = oracle.answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = _reply

        def log_message(self, format: str, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    oracle.url = f"http://127.0.0.1:{server.server_address[1]}"
    # `shutdown` waits for the end of an interval, half a second unless it is named, and a test has four of these.
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
