"""The models and calibration profiles that this release knows, read from the files beside this module.

Imports no torch: gateways, APIs and command lines may ask which models exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from protocol.documents import document_digest, document_from_json
from protocol.encoding import parse_json
from protocol.errors import Reason, Refused
from protocol.manifest import ModelManifest
from protocol.profile import CalibrationProfile

MODELS = Path(__file__).parent / "models"
PROFILES = Path(__file__).parent / "profiles"


class Named(Protocol):
    """A manifest of any kind of model."""

    @property
    def name(self) -> str: ...


Document = TypeVar("Document")
Manifest = TypeVar("Manifest", bound=Named)


def list_models() -> tuple[ModelManifest, ...]:
    """All known manifests, by name."""
    return read_documents(ModelManifest, MODELS)


def list_profiles() -> tuple[CalibrationProfile, ...]:
    """All known calibration profiles, by file name."""
    return read_documents(CalibrationProfile, PROFILES)


def read_documents(kind: type[Document], folder: Path) -> tuple[Document, ...]:
    """The documents of one kind in a folder, by file name."""
    return tuple(document_from_json(kind, parse_json(path.read_bytes(), path.name))
                 for path in sorted(folder.glob("*.json")))


def find_model(name_or_digest: str | bytes) -> ModelManifest:
    """The manifest of a model's name (any case) or of its 32-byte digest.

    Errors: `Refused(UNKNOWN_MODEL)` naming the known ones.
    """
    return pick_manifest(list_models(), name_or_digest, "model")


def pick_manifest(manifests: Sequence[Manifest], name_or_digest: str | bytes, what: str) -> Manifest:
    """The one of this name (any case) or 32-byte digest; `what` is the kind of model in words.

    Errors: `Refused(UNKNOWN_MODEL)` naming those that there are.
    """
    for manifest in manifests:
        if isinstance(name_or_digest, bytes):
            if document_digest(manifest) == name_or_digest:
                return manifest
        elif manifest.name.lower() == name_or_digest.lower():
            return manifest
    asked = name_or_digest if isinstance(name_or_digest, str) else "0x" + name_or_digest.hex()
    known = ", ".join(manifest.name for manifest in manifests) or "none"
    raise Refused(Reason.UNKNOWN_MODEL, f"The {what} {asked} is not known.", f"Use one of: {known}.")


def find_profile(
    manifest: ModelManifest, backend: str = "torch", dtype: str = "f32", device: str = "cpu"
) -> CalibrationProfile:
    """The profile of a model's tensors in one class.

    Errors: `Refused(UNKNOWN_PROFILE)`, whose fix is to calibrate.
    """
    wanted = (manifest.tensors.sha256, backend, dtype, device)
    for profile in list_profiles():
        if (profile.tensors_sha256, profile.backend, profile.dtype, profile.device) == wanted:
            return profile
    raise Refused(
        Reason.UNKNOWN_PROFILE,
        f"There is no calibration profile of {manifest.name} for {backend}, {dtype}, {device}.",
        f"Make one with: malla oracle calibrate {manifest.name}",
    )


def find_profile_by_digest(manifest: ModelManifest, digest: bytes) -> CalibrationProfile:
    """The profile that a job names by its 32-byte digest; it has to be one of the model's tensors.

    Errors: `Refused(UNKNOWN_PROFILE)`.
    """
    for profile in list_profiles():
        if document_digest(profile) == digest and profile.tensors_sha256 == manifest.tensors.sha256:
            return profile
    raise Refused(
        Reason.UNKNOWN_PROFILE,
        f"The calibration profile 0x{digest.hex()} is not one of {manifest.name} in this release.",
        "Use the profile that the provider's current offer names.",
    )
