"""Which models and profiles this release knows. Imports no torch."""

from __future__ import annotations

from functools import cached_property

from protocol.documents import document_digest
from protocol.encoding import to_hex
from protocol.engine.catalogue import list_models, list_profiles
from protocol.engine.vector_catalogue import find_vector_profile, list_vector_models
from protocol.errors import Reason, Refused
from protocol.manifest import ModelManifest
from protocol.profile import CalibrationProfile
from protocol.units import Digest
from protocol.vector_manifest import VectorManifest
from protocol.vector_profile import VectorProfile


class ReleaseCatalogue:
    """Implements `oracle.ports.Catalogue`. Files are read once."""

    @cached_property
    def models(self) -> dict[Digest, ModelManifest]:
        return {document_digest(manifest): manifest for manifest in list_models()}

    @cached_property
    def profiles(self) -> dict[Digest, CalibrationProfile]:
        return {document_digest(profile): profile for profile in list_profiles()}

    @cached_property
    def vector_models(self) -> dict[Digest, VectorManifest]:
        return {document_digest(manifest): manifest for manifest in list_vector_models()}

    def require(self, model: bytes, profile: bytes) -> None:
        """Raises Refused(unknown_model) or Refused(unknown_profile), also for a profile of another model."""
        if (vector := self.vector_manifest(model)) is not None:
            find_vector_profile(vector, profile)
        else:
            self.profile(profile, model)

    def name_of(self, model: bytes) -> str | None:
        manifest = self.models.get(Digest(model)) or self.vector_manifest(model)
        return manifest.name if manifest else None

    def bytes_of(self, model: bytes) -> int:
        """Size of the model's weights as shipped; 0 for an unknown model."""
        manifest = self.models.get(Digest(model)) or self.vector_manifest(model)
        return manifest.weights.bytes if manifest else 0

    def vector_manifest(self, model: bytes) -> VectorManifest | None:
        """None for a model of tokens, or one that is not known here."""
        return self.vector_models.get(Digest(model))

    def vector_profile(self, profile: bytes, model: bytes) -> VectorProfile:
        """Of a known vector model. Raises Refused(unknown_profile)."""
        return find_vector_profile(self.vector_models[Digest(model)], profile)

    def manifest(self, model: bytes) -> ModelManifest:
        manifest = self.models.get(Digest(model))
        if manifest is None:
            known = ", ".join(found.name for found in self.models.values()) or "none"
            raise Refused(Reason.UNKNOWN_MODEL, f"The model {to_hex(model)} is not known here.", f"Known: {known}.")
        return manifest

    def profile(self, profile: bytes, model: bytes) -> CalibrationProfile:
        manifest, found = self.manifest(model), self.profiles.get(Digest(profile))
        if found is None or found.tensors_sha256 != manifest.tensors.sha256:
            raise Refused(Reason.UNKNOWN_PROFILE, f"{to_hex(profile)} is no known profile of {manifest.name}.",
                          "Use the profile that this release has for the model.")
        return found
