"""A GGUF's manifest: `python -m protocol.engine.describe NAME PACKAGE:FILE > MANIFEST`."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

from protocol.documents import document_to_json
from protocol.engine.digests import digest_bytes, digest_file, digest_tensors
from protocol.engine.gguf_file import GgufFile
from protocol.engine.weights_source import tokenizer_bytes
from protocol.manifest import MANIFEST_FORMAT, ModelManifest


def describe_model(name: str, source: str, path: Path) -> ModelManifest:
    """The manifest of the GGUF at `path`; `source` is where users find it, `package:file`.

    Holds all float32 tensors in memory once. Errors: `GgufUnsupported`.
    """
    gguf = GgufFile(path)
    gguf.check_shape(gguf.shape())
    tensors = dict(gguf.tensors())
    return ModelManifest(
        format=MANIFEST_FORMAT,
        name=name,
        licence=gguf.licence(),
        source=source,
        architecture="llama",
        shape=gguf.shape(),
        weights=digest_file(path),
        tensors=digest_tensors((key, tensors[key]) for key in sorted(tensors)),
        tokenizer=digest_bytes(tokenizer_bytes(gguf)),
        chat_template=digest_bytes(gguf.chat_template().encode("utf-8")),
        context_tokens=gguf.context_tokens(),
        stop_token_ids=(gguf.stop_token_id(),),
    )


def main(arguments: list[str]) -> int:
    """Print one model's manifest, indented for readers; its digest is over the canonical form."""
    name, source = arguments
    package, _, file = source.partition(":")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"The package {package!r} is not installed.")
    path = Path(spec.submodule_search_locations[0]) / file
    manifest = document_to_json(describe_model(name, source, path))
    sys.stdout.write(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
