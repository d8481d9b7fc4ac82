"""The vector models and their calibration profiles that this release knows, read from the files beside this module.

Imports no torch: gateways, APIs and command lines may ask which models exist.
"""

from __future__ import annotations

from pathlib import Path

from protocol.documents import document_digest
from protocol.engine.catalogue import pick_manifest, read_documents
from protocol.engine.packaged_file import locate_in_package
from protocol.errors import Reason, Refused
from protocol.vector_manifest import RELEASE, VectorManifest
from protocol.vector_profile import VectorProfile

VECTOR_MODELS = Path(__file__).parent / "vector_models"
VECTOR_PROFILES = Path(__file__).parent / "vector_profiles"


def list_vector_models() -> tuple[VectorManifest, ...]:
    """All known manifests, by file name."""
    return read_documents(VectorManifest, VECTOR_MODELS)


def list_vector_profiles() -> tuple[VectorProfile, ...]:
    """All known calibration profiles, by file name."""
    return read_documents(VectorProfile, VECTOR_PROFILES)


def find_vector_model(name_or_digest: str | bytes) -> VectorManifest:
    """The manifest of a model's name (any case) or of its 32-byte digest.

    Errors: `Refused(UNKNOWN_MODEL)` naming the known ones.
    """
    return pick_manifest(list_vector_models(), name_or_digest, "vector model")


def find_vector_profile(manifest: VectorManifest, digest: bytes | None = None) -> VectorProfile:
    """The profile of a model's tensors: that of the digest a call names, or the one for torch in float32 on a CPU.

    Errors: `Refused(UNKNOWN_PROFILE)`.
    """
    for profile in list_vector_profiles():
        if profile.tensors_sha256 != manifest.tensors.sha256:
            continue
        if digest is None and (profile.backend, profile.dtype, profile.device) == ("torch", "f32", "cpu"):
            return profile
        if digest is not None and document_digest(profile) == digest:
            return profile
    asked = "for torch, f32, cpu" if digest is None else "0x" + digest.hex()
    raise Refused(Reason.UNKNOWN_PROFILE, f"There is no calibration profile {asked} of {manifest.name}.",
                  "Make one with: python scripts/train_workloads.py --calibrate")


def locate_vector_weights(manifest: VectorManifest) -> Path:
    """The safetensors file that the manifest's source names, without importing its package.

    Errors: `ModelFileMissing`.
    """
    package, _, name = manifest.source.partition(":")
    if package == RELEASE:
        return VECTOR_MODELS / name
    return locate_in_package(package, name, manifest.name)
