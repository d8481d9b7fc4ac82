"""The routes that only show something: health, network, blobs, offers, openings wanted, reveals, jobs, receipts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from oracle.flow.auditors import show_auditors
from oracle.flow.blobs import get_blob
from oracle.flow.bundles import build_bundle
from oracle.flow.device_checks import show_challenges
from oracle.flow.health import read_health
from oracle.flow.offers import list_offers
from oracle.flow.overview import show_batch, show_network
from oracle.flow.receipts import build_receipt
from oracle.flow.views import list_wanted, show_job, show_jobs
from oracle.wiring import Parts
from protocol.encoding import digest_from, from_hex, to_hex
from protocol.errors import Malformed, Reason, Refused
from protocol.types import JobState
from protocol.units import Address
from protocol.wire import from_json, to_json


def add_reads(app: FastAPI, parts: Parts) -> None:
    node = parts.node

    @app.get("/v1/health")
    def health() -> Response:
        status, body = read_health(node, parts.settings.confirmations)
        return JSONResponse(body, status)

    @app.get("/v1/network")
    def network() -> Any:
        return show_network(node, parts.contracts)

    @app.get("/v1/blobs/{digest}")
    def blob(digest: str) -> Response:
        return Response(get_blob(node, digest_from(digest, "digest")), media_type="application/octet-stream")

    @app.get("/v1/offers")
    def offers(model: str | None = None, provider: str | None = None) -> Any:
        wanted = digest_from(model, "model") if model else None
        return {"offers": list_offers(node, wanted, _address(provider, "provider"))}

    @app.get("/v1/challenges")
    def challenges(provider: str) -> Any:
        address = _address(provider, "provider") or ""
        return {"terms": to_json(node.rules.challenges), "challenge": show_challenges(node, [address])[address]}

    @app.get("/v1/openings/wanted")
    def wanted(provider: str) -> Any:
        listed = list_wanted(node, _address(provider, "provider") or "")
        own = node.chain.member(node.address)
        return {"auditor": node.address, "encryption_key": to_hex(own.encryption_key), "wanted": listed}

    @app.get("/v1/auditors")
    def auditors() -> Any:
        return {"oracle": node.address, "auditors": show_auditors(node)}

    @app.get("/v1/reveals/{epoch}")
    def reveal(epoch: int) -> Response:
        found = node.store.reveal(node.address, epoch) if 0 <= epoch < 2**62 else None
        if found is None:
            refusal = Refused(Reason.NOT_READY, f"Epoch {epoch} has not ended finally here.", "Ask again later.")
            return JSONResponse(refusal.as_json(), 404)
        return JSONResponse({"oracle": node.address, "epoch": epoch, "reveal": to_hex(found)})

    @app.get("/v1/jobs/{job_id}")
    def job(job_id: str) -> Any:
        return show_job(node, digest_from(job_id, "job id"))

    @app.get("/v1/jobs")
    def jobs(requester: str | None = None, provider: str | None = None, state: str | None = None,
             limit: Annotated[int, Query(ge=1, le=100)] = 100) -> Any:
        if state is not None and state not in JobState.__members__:
            raise Malformed(f"state must be one of {', '.join(JobState.__members__)}.")
        found = show_jobs(node, _address(requester, "requester"), _address(provider, "provider"), state, limit)
        return {"jobs": found}

    @app.get("/v1/batches/{batch_id}")
    def batch(batch_id: int) -> Any:
        return show_batch(node, batch_id)

    @app.get("/v1/receipts/{job_id}")
    def receipt(job_id: str) -> Any:
        return build_receipt(node, digest_from(job_id, "job id"))

    @app.get("/v1/bundles/{batch_id}/{index}")
    def bundle(batch_id: int, index: int, consent: str | None = None) -> Any:
        return build_bundle(node, batch_id, index, from_hex(consent, 65, "consent") if consent else None)

    @app.get("/metrics")
    def metrics() -> Response:
        row = node.store.watch_row()
        block, lag = (row.block, row.head - row.block) if row else (0, 0)
        text = parts.figures.render(node.store.figures(), block, lag, node.store.models_loaded())
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


def _address(text: str | None, what: str) -> Address | None:
    return from_json(Address, text, what) if text else None
