"""From a job file to what the caller gets."""

from __future__ import annotations

from protocol.encoding import to_hex
from protocol.types import Offer, RefundReason
from requester.ports.jobs import Market
from requester.records.jobs import JobFile, JobResult


def result_of(file: JobFile) -> JobResult:
    """The result of a job as far as it is known; `state` may be one before its end."""
    answer = file.answer
    return JobResult(
        job_id=to_hex(file.job_id),
        state=file.stage.value,
        reason="" if file.reason is RefundReason.NONE else file.reason.name,
        provider=file.job.provider,
        model=file.model,
        prompt_tokens=file.job.input_tokens,
        output_tokens=0 if answer is None else len(answer.output_token_ids),
        text="" if answer is None else answer.text,
        paid=file.paid,
        refunded=file.refunded,
        settlement_tx=to_hex(file.settlement_tx) if file.settlement_tx else "",
        settlement_gas=file.settlement_gas,
        verdict=file.verdict,
        verdict_reason=file.verdict_reason,
        receipt_path=file.receipt_path,
        opened_at=file.opened_at,
        settled_at=file.ended_at,
        committed_at=file.committed_at,
        price=file.job.price,
        open_fee=file.open_fee,
        requester=file.job.requester,
        batch_id=file.batch_id,
        finish="" if answer is None else answer.finish,
        note=file.note,
        audit=file.spec.audit,
    )


def offer_row(offer: Offer, market: Market) -> dict[str, object]:
    """An offer for people and JSON: prices are wei per token as decimal strings."""
    return {
        "provider": offer.provider,
        "model": market.models.name_of(offer.model),
        "input_price": str(offer.input_price),
        "output_price": str(offer.output_price),
        "max_input_tokens": offer.max_input_tokens,
        "max_output_tokens": offer.max_output_tokens,
        "min_duration": offer.min_duration,
        "expiry": offer.expiry,
    }
