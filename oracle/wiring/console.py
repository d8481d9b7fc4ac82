"""What the oracle's commands ask of the real world, beside the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from oracle.config import Settings
from oracle.edges.broker import CeleryQueue
from oracle.edges.canary_requests import RequesterProgram
from oracle.edges.peers import HttpPeers
from oracle.edges.store import SqlStore, open_engine
from oracle.records.work import Member
from oracle.wiring import REVEAL_PURPOSE, SEAL_PURPOSE, check_model_files, load_requesting, migrate_database
from protocol.documents import document_digest
from protocol.draw import RevealChain
from protocol.errors import MallaError, Unavailable
from protocol.profile import CalibrationProfile
from protocol.sealing import derive_secret, public_key
from protocol.session_reports import MAX_CALLS


def derive_seat(key: bytes) -> tuple[bytes, bytes]:
    """(encryption key, reveal anchor) of an oracle's private key: what it joins with."""
    return public_key(derive_secret(key, SEAL_PURPOSE)), RevealChain(derive_secret(key, REVEAL_PURPOSE)).anchor


def fetch_reveals(members: Sequence[Member], epoch: int) -> dict[str, bytes | None]:
    """An epoch's reveals from the members' own apis; None where one is silent or does not show it."""
    peers, found = HttpPeers(), {}
    for member in members:
        try:
            found[str(member.address)] = peers.reveal(member, epoch)
        except MallaError:
            found[str(member.address)] = None
    peers.close()
    return found


def fetch_jobs(chain: Any, job_ids: Sequence[bytes]) -> dict[bytes, dict[str, Any]]:
    """What the committee's apis show of jobs, each from the first oracle that shows it; nobody is trusted for money."""
    answers = ((job_id, next(_ask_all(chain, f"/v1/jobs/0x{job_id.hex()}"), None)) for job_id in job_ids)
    return {job_id: body for job_id, body in answers if body is not None}


def fetch_added_calls(chain: Any, batch_id: int, vouchers: Mapping[int, bytes]) -> dict[int, tuple[int, int]]:
    """(number of the first call, how many) that each voucher of a batch added, by its entry's index, as the first
    oracle says that shows its session. The totals stand on-chain; nothing is trusted for money."""
    found: dict[int, tuple[int, int]] = {}
    for index, session_id in vouchers.items():
        for body in _ask_all(chain, f"/v1/sessions/0x{session_id.hex()}"):
            rows = body.get("vouchers")
            for row in rows if isinstance(rows, list) else []:
                place = isinstance(row, dict) and (row.get("batch_id"), row.get("index")) == (batch_id, index)
                if place and type(row.get("first")) is int and type(row.get("calls")) is int:
                    found[index] = (row["first"], min(MAX_CALLS, max(0, row["calls"] - row["first"] + 1)))
            if index in found:
                break
    return found


def _ask_all(chain: Any, path: str) -> Iterator[dict[str, Any]]:
    """What the committee's apis answer with, one after the other; who does not answer is passed over."""
    set_version = chain.set_version()
    for address in chain.members(set_version) if set_version else ():
        try:
            answer = httpx.get(chain.oracle(address).url.rstrip("/") + path, timeout=5.0, trust_env=False)
            body = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            continue
        if answer.status_code == 200 and isinstance(body, dict):
            yield body


def probe_services(settings: Settings) -> dict[str, str]:
    """What is wrong with the database and the broker; empty strings when all is well."""
    return {
        "database": _error_of(lambda: migrate_database(settings)),
        "broker": _error_of(lambda: CeleryQueue(settings.broker_url).ping()),
    }


def probe_model() -> str:
    """What is wrong with the model files of this release, or an empty string."""
    return _error_of(check_model_files)


def open_canaries(settings: Settings) -> tuple[SqlStore, RequesterProgram]:
    """The oracle's store, and the requester's program with its wallets. Errors: ConfigInvalid, Unavailable."""
    migrate_database(settings)
    store = SqlStore(open_engine(settings.database_url))
    return store, load_requesting(settings, store)


def _error_of(act: Callable[[], None]) -> str:
    try:
        act()
    except MallaError as error:
        return f"{error.message} {error.fix}".strip()
    return ""


def ask_auditors(url: str) -> list[dict[str, Any]]:
    """What the api of that URL counted against auditors; nothing when it does not answer."""
    try:
        body = httpx.get(f"{url}/v1/auditors", timeout=5.0, trust_env=False).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return []
    rows = body.get("auditors") if isinstance(body, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def fetch_cases(url: str, only_open: bool) -> list[dict[str, Any]]:
    """The cases that the api of that URL shows. Raises Unavailable."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/v1/cases", timeout=10.0, trust_env=False,
                           params={"open": "true"} if only_open else {})
        # Read once here, so that nothing later meets a field that is missing.
        return [{**{name: plain(row[name]) for name in ("kind", "state", "own_ruling", "waits_for", "waits_on",
                                                        "plaintiff", "provider", "job_id")},
                 "bond": str(int(row["bond"])),
                 **{name: int(row[name]) for name in ("case_id", "batch_id", "index", "deadline", "opened_at",
                                                      "set_version")},
                 **{name: None if row[name] is None else int(row[name]) for name in ("waits_until", "closed_at")}}
                for row in answer.json()["cases"]]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"The api at {url} shows no cases ({type(error).__name__}).",
                          "Check that it runs: malla oracle status") from error


def plain(text: object) -> str | None:
    """A stranger's words must not steer the terminal."""
    return None if text is None else "".join(c if c.isprintable() else "?" for c in str(text))[:300]


def ask_health(url: str) -> str:
    """"ready", or why not."""
    try:
        answer = httpx.get(f"{url}/v1/health", timeout=5.0, trust_env=False)
        body = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return f"no answer ({type(error).__name__})"
    if answer.status_code == 200:
        return "ready"
    waiting = body.get("waiting_for", []) if isinstance(body, dict) else []
    return "waits for " + ", ".join(str(word) for word in waiting)


def ask_challenge(url: str, provider: str) -> dict[str, Any]:
    """What one oracle's api says of a provider's last challenge; `{"error": why}` when it does not answer in form."""
    try:
        answer = httpx.get(f"{url}/v1/challenges", params={"provider": provider}, timeout=5.0, trust_env=False)
        found = answer.json()["challenge"]
        if found["result"] not in ("none", "passed", "failed"):
            return {"error": "an answer in another form"}
        # Read once here, so that nothing later meets a field that is missing.
        devices = [{**{name: device[name] for name in ("device", "result", "reason", "products")},
                    "measured_int8_ops": int(device["measured_int8_ops"]), "signs": list(device["signs"]),
                    "claim": {**device["claim"], "int8_ops": int(device["claim"]["int8_ops"])}}
                   for device in found["devices"]]
        if any(not {"name", "uuid"} <= device["claim"].keys() for device in devices):
            return {"error": "an answer in another form"}
        return {**found, "devices": devices}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        return {"error": f"no answer ({type(error).__name__})"}


def fetch_bundle(url: str, batch_id: int, index: int, consent: str) -> bytes:
    """The bytes of an evidence bundle. Raises Unavailable, with what the api says if it refuses."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/v1/bundles/{batch_id}/{index}", timeout=30.0, trust_env=False,
                           params={"consent": consent} if consent else {})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"The api at {url} does not answer ({type(error).__name__}).") from error
    if answer.status_code != 200:
        raise Unavailable(f"The api at {url} gives no bundle: {answer.text[:300]}")
    return answer.content


def run_calibration(model: str, output: Path | None, sequences: int, dtype: str,
                    progress: Callable[[str, float], None]) -> tuple[bytes, CalibrationProfile]:
    """Imports torch's parent only: the runs are processes of their own. Returns the profile and its digest."""
    from protocol.engine.calibrate import calibrate

    profile = calibrate(model, output, sequences, progress, dtype=dtype)
    return document_digest(profile), profile
