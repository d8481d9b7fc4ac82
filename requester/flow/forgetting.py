"""Forgetting what was said, here: prompts, answers and keys go once they can neither prove nor dispute anything more.

Numbers, lines and money stay. A receipt holds its answer, which is what it proves, and goes after `keep_answers`.
"""

from __future__ import annotations

from dataclasses import replace

from requester.flow.desk import Desk
from requester.flow.session_receipts import WEEK
from requester.ports.jobs import JobFiles
from requester.records.jobs import ENDED
from requester.records.sessions import CallStage, Holds

AT_ONCE = 256
"""Calls of one stage in one round."""


def forget_said(desk: Desk) -> int:
    """Delete what is not needed any more of calls and jobs; of how many. Errors: ChainUnreachable.

    Of a call that cost nothing at once; of one with a receipt once nobody can dispute it (counted from the receipt,
    which is later than the commitment); of others after a week, in which a receipt is asked for.
    """
    now, gone = desk.clock(), 0
    disputed = now - desk.chain.session_terms().dispute_window
    for stage, before in ((CallStage.VOID, now), (CallStage.PROVEN, disputed), (CallStage.ENDED, now - WEEK),
                          (CallStage.LOST, now - WEEK)):
        for call in desk.store.aged(stage, Holds.SAID, before, AT_ONCE):
            desk.store.write_call(replace(call, prompt=b"", key=b"", answer=None))
            gone += 1
    kept_since = now - desk.limits.keep_answers
    for call in desk.store.aged(CallStage.PROVEN, Holds.RECEIPT, kept_since, AT_ONCE):
        desk.store.remove_receipt(call.receipt_path)
        desk.store.write_call(replace(call, receipt_path=""))
        gone += 1
    gone += forget_jobs(desk.market.files, kept_since)
    if gone:
        desk.store.tidy()
    return gone


def forget_jobs(files: JobFiles, before: float) -> int:
    """Delete prompt, answer and receipt of jobs that ended and whose files were last written before; of how many."""
    gone = 0
    for found in files.older(before):
        with files.hold(found.job_id):
            file = files.read(found.job_id)
            if file.stage not in ENDED or not file.prompt:
                continue
            files.remove_receipt(file.job_id)
            files.write(replace(file, prompt=b"", seal_secret=b"", answer=None, receipt_path="",
                                note="Its prompt and answer were deleted: their time (--keep-answers) was over."))
            gone += 1
    return gone
