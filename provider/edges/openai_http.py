"""One OpenAI-compatible model server over httpx: bounded answers, errors in our own words, and left at any time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from queue import Empty, SimpleQueue
from typing import Any

import httpx

from protocol.errors import ConfigInvalid, Malformed, MallaError, TooLarge, Unavailable
from provider.edges.openai_chunks import Chunk, error_text, events, read_chunk, read_json

TIMEOUT = httpx.Timeout(300.0, connect=5.0)
"""Seconds; a request may wait that long for its turn. Who cannot wait is asked by `cancelled`."""
POLL = 0.1
"""Seconds between two looks at `cancelled` while the server is silent."""
MAX_HEAD, BYTES_A_TOKEN = 64 * 1024, 8 * 1024
"""The most that is read of an answer: so much, and so much for each token that was asked for."""
MAX_ERROR = 8 * 1024

Pipe = SimpleQueue[bytes | BaseException | None]


class RunCancelled(MallaError):
    """The caller's `cancelled` said stop; the server learns it by a closed connection."""

    code = "cancelled"


class ModelServer:
    """A server at a URL (with or without /v1 at its end), asked with a bearer key where one is given."""

    def __init__(self, url: str, key: str = "", transport: httpx.BaseTransport | None = None) -> None:
        self._url = url.rstrip("/").removesuffix("/v1")
        # Nothing is unpacked: a small answer cannot become a large one.
        headers = {"accept-encoding": "identity"} | ({"authorization": f"Bearer {key}"} if key else {})
        # A server may close an idle connection just when the next request goes out on it: each has one of its own.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._http = httpx.Client(timeout=TIMEOUT, transport=transport, trust_env=False, headers=headers, limits=limits)

    def close(self) -> None:
        self._http.close()

    def models(self) -> list[str]:
        """The names of its models. Errors: `ConfigInvalid`, `Unavailable`, `Malformed`, `TooLarge`."""
        try:
            with self._http.stream("GET", f"{self._url}/v1/models") as answer:
                body = _whole(answer, MAX_HEAD)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise self._gone(error) from error
        rows = read_json(body).get("data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Malformed("The model server gives no list of models.", "Correct MALLA_BACKEND_URL.")
        return [str(row.get("id")) for row in rows]

    def complete(self, body: dict[str, Any], tokens: int, cancelled: Callable[[], bool]) -> Generator[Chunk]:
        """What /v1/completions streams for at most `tokens` tokens. Closing the generator leaves the server.

        The answer is read by a thread of its own, so that `cancelled` is asked also while the server is silent.
        Errors: `RunCancelled`, `ConfigInvalid`, `Unavailable`, `Malformed`, `TooLarge`.
        """
        pipe: Pipe = SimpleQueue()
        left = threading.Event()
        work = (body, MAX_HEAD + BYTES_A_TOKEN * tokens, pipe, left)
        threading.Thread(target=self._post, args=work, name="model-server", daemon=True).start()
        try:
            for value in events(_parts(pipe, cancelled)):
                yield read_chunk(value)
        finally:
            left.set()

    def _post(self, body: dict[str, Any], most: int, pipe: Pipe, left: threading.Event) -> None:
        size = 0
        try:
            with self._http.stream("POST", f"{self._url}/v1/completions", json=body) as answer:
                if answer.status_code != 200:
                    _whole(answer, MAX_ERROR)
                for part in answer.iter_raw():
                    size += len(part)
                    if size > most:
                        raise TooLarge("The model server's answer", size, most)
                    if left.is_set():
                        return  # leaving the block closes the connection
                    pipe.put(part)
            pipe.put(None)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            pipe.put(self._gone(error))
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the run, which waits for it
            pipe.put(error)

    def _gone(self, error: Exception) -> Unavailable:
        what = "sends nothing" if isinstance(error, httpx.TimeoutException) else "does not answer"
        return Unavailable(f"The model server at {self._url} {what}: {str(error) or type(error).__name__}.",
                           "Start it, or correct MALLA_BACKEND_URL. The job is kept and tried again.")


def _parts(pipe: Pipe, cancelled: Callable[[], bool]) -> Iterator[bytes]:
    while True:
        if cancelled():
            raise RunCancelled("The run was cancelled.")
        try:
            part = pipe.get(timeout=POLL)
        except Empty:
            continue
        if part is None:
            return
        if isinstance(part, BaseException):
            raise part
        yield part


def _whole(answer: httpx.Response, limit: int) -> bytes:
    """The body of a success. Errors: for any other status what it means, with the server's own words."""
    body = b""
    for part in answer.iter_raw():
        body += part
        if len(body) > limit:
            raise TooLarge("The model server's answer", len(body), limit)
    if answer.status_code == 200:
        return body
    try:
        said = error_text(read_json(body))
    except Malformed:
        said = "it gives no reason"
    raise _status_error(answer.status_code, said)


def _status_error(status: int, said: str) -> MallaError:
    if status in (401, 403):
        return ConfigInvalid(f"The model server refuses the key ({status}).",
                             "Put the right one into the file that MALLA_BACKEND_KEY_FILE names.")
    if status in (404, 405) or 300 <= status < 400:
        return ConfigInvalid(f"The model server answers {status}: {said}.",
                             "Correct MALLA_BACKEND_URL or MALLA_BACKEND_MODEL.")
    if status in (408, 425, 429) or status >= 500:
        return Unavailable(f"The model server answers {status}: {said}.", "The job is kept and tried again.")
    return Malformed(f"The model server refuses the request with {status}: {said}.",
                     "It must take token ids as `prompt`, and have room for them.")
