"""Job files: one JSON file a job, private to its owner, replaced as a whole: a crash leaves the old or the new."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protocol.encoding import canonical_json, parse_json, to_hex
from protocol.errors import ConfigInvalid, MallaError
from protocol.limits import MAX_BLOB
from protocol.units import Digest
from protocol.wire import from_json, to_json
from requester.errors import JobNotFound
from requester.records.jobs import FORMAT, JobFile

MAX_FILE = 16 * MAX_BLOB


class JobFolder:
    """`ports.JobFiles` in one folder: `jobs/<id>.json`, `receipts/<id>.json`, `jobs/<id>.lock`."""

    def __init__(self, folder: Path) -> None:
        self._jobs, self._receipts = folder / "jobs", folder / "receipts"
        try:
            for made in (self._jobs, self._receipts):
                made.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigInvalid(f"The folder {folder} cannot be made: {error.strerror}.",
                                "Name a writable one with --home or MALLA_HOME.") from error

    def write(self, file: JobFile) -> None:
        _replace(self._path(file.job_id), canonical_json(to_json(file)))

    def read(self, job_id: Digest) -> JobFile:
        """Raises JobNotFound, or ConfigInvalid for a damaged file."""
        path = self._path(job_id)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise JobNotFound(f"There is no job {to_hex(job_id)} in {self._jobs}.",
                              "See your jobs with `malla request job list`, or name another --home.") from error
        return _parse(data, path)

    def list(self) -> Iterator[JobFile]:
        """All jobs that can be read, oldest file name first."""
        yield from self.older(float("inf"))

    def older(self, before: float) -> Iterator[JobFile]:
        for path in sorted(self._jobs.glob("0x*.json")):
            try:
                if path.stat().st_mtime < before:
                    yield _parse(path.read_bytes(), path)
            except (MallaError, OSError):
                continue

    @contextmanager
    def hold(self, job_id: Digest) -> Iterator[None]:
        """Only one process or thread brings a job forward at a time; others wait here."""
        with self._path(job_id).with_suffix(".lock").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def write_receipt(self, job_id: Digest, receipt: Mapping[str, Any]) -> str:
        path = self._receipts / f"{to_hex(job_id)}.json"
        _replace(path, json.dumps(receipt, indent=2, sort_keys=True, ensure_ascii=False).encode())
        return str(path)

    def remove_receipt(self, job_id: Digest) -> None:
        (self._receipts / f"{to_hex(job_id)}.json").unlink(missing_ok=True)

    def _path(self, job_id: Digest) -> Path:
        return self._jobs / f"{to_hex(job_id)}.json"


def _parse(data: bytes, path: Path) -> JobFile:
    try:
        value = parse_json(data, path.name, MAX_FILE)
        found = value.get("format") if isinstance(value, dict) else None
        if found != FORMAT:
            raise ConfigInvalid(f"Its format is {found!r}, this version reads {FORMAT}.")
        return from_json(JobFile, value, "job file")
    except MallaError as error:
        raise ConfigInvalid(f"The job file {path} cannot be read: {error.message}",
                            "Restore it from a backup; the job's money is safe in the escrow.") from error


def _replace(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(unfinished, path)
