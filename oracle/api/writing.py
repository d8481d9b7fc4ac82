"""The routes that keep something: blobs, offers, reports, openings, and what peers send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse

from oracle.api.schemas import CommitmentBody, OpeningBody, RecordBody, SettlementBody
from oracle.flow.blobs import put_blob
from oracle.flow.challenges import accept_challenge_opening, accept_commitment
from oracle.flow.commitments import accept_audit_commitment
from oracle.flow.confirmations import accept_record
from oracle.flow.decisions import sign_list
from oracle.flow.intake import accept_opening, accept_report
from oracle.flow.offers import accept_offer
from oracle.wiring import Parts
from protocol.challenge import SignedCommitment
from protocol.encoding import digest_from, keccak, parse_json, to_hex
from protocol.errors import Malformed, Reason, Refused
from protocol.types import SignedOffer, SignedReport
from protocol.wire import from_json

MAX_KEY = 200


async def read_body(request: Request) -> bytes:
    """The raw body; `BodyLimit` has seen to its size."""
    return await request.body()


Body = Annotated[bytes, Depends(read_body)]
Key = Annotated[str | None, Header(alias="Idempotency-Key")]


def add_writes(app: FastAPI, parts: Parts) -> None:
    node = parts.node

    @app.put("/v1/blobs/{digest}")
    def keep_blob(digest: str, body: Body) -> Response:
        receipt = put_blob(node, digest_from(digest, "digest"), body)
        found = {"digest": to_hex(receipt.digest), "size": receipt.size, "oracle": receipt.oracle,
                 "signature": to_hex(receipt.signature)}
        return JSONResponse(found, 201)

    @app.put("/v1/offers")
    def keep_offer(body: Body) -> Response:
        digest = accept_offer(node, from_json(SignedOffer, parse_json(body)))
        return JSONResponse({"digest": to_hex(digest), "status": "accepted"}, 202)

    @app.put("/v1/challenges")
    def keep_challenge(body: Body) -> Response:
        row = accept_commitment(node, from_json(SignedCommitment, parse_json(body)))
        return JSONResponse({"digest": to_hex(row.digest), "state": row.state.name, "reason": row.reason}, 202)

    @app.put("/v1/challenges/{digest}")
    def keep_challenge_opening(digest: str, body: Body) -> Response:
        row = accept_challenge_opening(node, digest_from(digest, "digest"), body)
        return JSONResponse({"digest": to_hex(row.digest), "state": row.state.name, "reason": row.reason}, 202)

    @app.post("/v1/reports")
    def report(body: Body, key: Key = None) -> Response:
        def act() -> Any:
            signed = from_json(SignedReport, parse_json(body))
            accept_report(node, signed)
            return {"job_id": to_hex(signed.report.job_id), "status": "accepted"}

        return answer_once(parts, "/v1/reports", key, body, act)

    @app.post("/v1/openings")
    def opening(body: Body, key: Key = None) -> Response:
        def act() -> Any:
            said = from_json(OpeningBody, parse_json(body))
            accept_opening(node, said.batch_id, said.index, said.auditor, said.sealed, said.signature)
            return {"batch_id": said.batch_id, "index": said.index, "status": "accepted"}

        return answer_once(parts, "/v1/openings", key, body, act)


def add_peers(app: FastAPI, parts: Parts) -> None:
    node = parts.node

    @app.post("/v1/peer/commitments")
    def commitment(body: Body, key: Key = None) -> Response:
        def act() -> Any:
            said = from_json(CommitmentBody, parse_json(body))
            accept_audit_commitment(node, said.said, said.signature, said.sealed)
            return {"status": "accepted"}

        return answer_once(parts, "/v1/peer/commitments", _own(key, body), body, act)

    @app.post("/v1/peer/records")
    def record(body: Body, key: Key = None) -> Response:
        def act() -> Any:
            said = from_json(RecordBody, parse_json(body))
            held = [(one.said, one.signature) for one in said.held]
            accept_record(node, said.record, said.evidence, said.signature, said.salt, held)
            return {"status": "accepted"}

        return answer_once(parts, "/v1/peer/records", _own(key, body), body, act)

    @app.post("/v1/peer/settlements")
    def settlement(body: Body) -> Any:
        said = from_json(SettlementBody, parse_json(body))
        signature, refused = sign_list(node, said.set_version, said.decisions, said.signature)
        if signature is not None:
            return {"signature": to_hex(signature)}
        return {"refused": [{"batch_id": batch_id, "reason": reason} for batch_id, reason in refused.items()]}


def _own(key: str | None, body: bytes) -> str | None:
    """The key of a body that a peer signed: nobody may take another's key and so keep its finding away."""
    return keccak(body).hex() if key is not None else None


def answer_once(parts: Parts, path: str, key: str | None, body: bytes, act: Callable[[], Any]) -> Response:
    """202 after commit; under one Idempotency-Key the same answer again. What was refused may be tried again."""
    if key is None:
        return JSONResponse(act(), 202)
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        raise Malformed(f"An Idempotency-Key has 1 to {MAX_KEY} printable characters.")
    store, digest = parts.node.store, keccak(body)
    known = store.remembered(key, path, digest)
    if known is None:
        answer = act()
        store.remember(key, path, digest, 202, answer, parts.node.clock())
        return JSONResponse(answer, 202)
    if known[0] == 0:
        raise Refused(Reason.REPLAY, "The Idempotency-Key was used for another body.", "Use a fresh key.")
    return JSONResponse(known[1], known[0])
