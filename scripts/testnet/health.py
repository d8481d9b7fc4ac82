"""What a node says of itself."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request


def read_health(url: str) -> tuple[bool, list[str]]:
    """Whether the node at this address says that it is ready, and what it waits for if not (`api`: no answer)."""
    try:
        with urllib.request.urlopen(f"{url}/v1/health", timeout=5) as answer:
            return answer.status == 200, []
    except urllib.error.HTTPError as error:
        with contextlib.suppress(ValueError, AttributeError):
            return False, [str(word) for word in json.load(error).get("waiting_for", [])]
        return False, [f"status {error.code}"]
    except OSError:
        return False, ["api"]
