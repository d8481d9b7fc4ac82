"""The models that MALLA_MODEL names, as what this node serves."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.documents import document_digest
from protocol.engine.catalogue import find_model, find_profile, list_models
from protocol.engine.vector_catalogue import find_vector_model, find_vector_profile, list_vector_models
from protocol.errors import ConfigInvalid, Refused
from protocol.profile import CalibrationProfile
from protocol.sampling import GREEDY
from protocol.units import Digest
from protocol.vector_manifest import VectorManifest
from provider.config import TORCH_CLASS, Settings
from provider.shelf import EMBEDDING, PREDICTION, Served, Shelf


def find_shelf(settings: Settings) -> Shelf:
    """Everything that the settings name. Errors: those of `require_servable`; Refused(UNKNOWN_PROFILE)."""
    require_servable(settings.models, bool(settings.backend_url))
    return Shelf(tuple(served_model(name, settings.backend_class) for name in settings.models))


def require_servable(names: Sequence[str], by_server: bool = False) -> None:
    """One text model, or one and more vector models; `by_server`: a model server runs it, which knows texts alone.

    Errors: ConfigInvalid, naming what cannot be served and what to put into MALLA_MODEL.
    """
    texts, vectors = [one.name for one in list_models()], [one.name for one in list_vector_models()]
    known = {name.lower(): name for name in (*texts, *vectors)}
    for name in names:
        if name.lower() not in known:
            raise ConfigInvalid(f"MALLA_MODEL names {name[:80]}, which this release does not know.",
                                f"Use one of {', '.join(texts)}, or some of {', '.join(vectors)}.")
    asked = [known[name.lower()] for name in names]
    for name in asked:
        if asked.count(name) > 1:
            raise ConfigInvalid(f"MALLA_MODEL names {name} {asked.count(name)} times.", "Name each model once.")
    found = [name for name in asked if name in texts]
    if by_server and not (found and len(asked) == 1):
        raise ConfigInvalid(f"MALLA_MODEL names {', '.join(asked)}; a model server (MALLA_BACKEND_URL) serves one "
                            "text model.", f"Name one of {', '.join(texts)}, or leave MALLA_BACKEND_URL away.")
    if found and len(asked) > 1:
        others = ", ".join(name for name in asked if name != found[0])
        raise ConfigInvalid(f"MALLA_MODEL names {found[0]}, a text model, beside {others}.",
                            "A node serves one text model or several vector models: run another node for the rest.")


def find_vector_manifest(name: str) -> VectorManifest | None:
    """None for what is no vector model of this release."""
    try:
        return find_vector_model(name)
    except Refused:
        return None


def model_digest(name: str) -> Digest:
    """Errors: Refused(UNKNOWN_MODEL)."""
    return document_digest(find_vector_manifest(name) or find_model(name))


def model_name(model: bytes) -> str | None:
    """None for a model that this release does not know."""
    names = {document_digest(one): one.name for one in list_models()}
    names |= {document_digest(one): one.name for one in list_vector_models()}
    return names.get(Digest(model))


def served_profile(name: str, backend_class: str = TORCH_CLASS) -> CalibrationProfile:
    """The profile of a model's class (backend-dtype-device). Errors: Refused(UNKNOWN_MODEL | UNKNOWN_PROFILE)."""
    return find_profile(find_model(name), *backend_class.split("-", 2))


def served_model(name: str, backend_class: str = TORCH_CLASS) -> Served:
    """What our offers, jobs and calls name. Errors: Refused(UNKNOWN_MODEL | UNKNOWN_PROFILE)."""
    if (vector := find_vector_manifest(name)) is not None:
        kinds = (EMBEDDING,) if vector.reads_texts else (PREDICTION,)
        return Served(document_digest(vector), document_digest(find_vector_profile(vector)), vector.name, (GREEDY,), 0,
                      kinds)
    manifest, profile = find_model(name), served_profile(name, backend_class)
    drawing = profile.drawing
    return Served(document_digest(manifest), document_digest(profile), manifest.name, tuple(drawing.kinds),
                  drawing.min_tokens)
