from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.documents import DocumentInvalid, document_digest, document_from_json, document_to_json
from protocol.engine.catalogue import find_model, find_profile, find_profile_by_digest, list_models
from protocol.errors import BadInput, Malformed, Reason, Refused
from protocol.manifest import FileDigest, ModelManifest, check_request

SMOLLM2 = find_model("SmolLM2-135M-Instruct")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "malla-model/2"),
        ("architecture", "mamba"),
        ("context_tokens", 1),
        ("context_tokens", 8192.0),
        ("stop_token_ids", []),
        ("stop_token_ids", [49152]),
        ("stop_token_ids", 2),
        ("licence", None),
        ("weights", {"bytes": 1, "sha256": "zz"}),
        ("weights", {"bytes": 1}),
        ("remote_code", "https://example.invalid"),
    ],
)
def test_manifest__field_that_does_not_fit__is_refused(path: str, value: object) -> None:
    with pytest.raises(DocumentInvalid):
        document_from_json(ModelManifest, {**document_to_json(SMOLLM2), path: value})


def test_manifest__field_missing__is_refused() -> None:
    value = document_to_json(SMOLLM2)
    del value["tokenizer"]
    with pytest.raises(DocumentInvalid, match=r"lacks \['tokenizer'\]"):
        document_from_json(ModelManifest, value)


def test_shape__heads_do_not_divide__is_refused() -> None:
    with pytest.raises(DocumentInvalid, match="heads"):
        replace(SMOLLM2.shape, heads=7)


def test_find_model__unknown__names_the_known_ones() -> None:
    for asked in ("gpt-5", b"\x01" * 32):
        with pytest.raises(Refused) as caught:
            find_model(asked)
        assert caught.value.reason is Reason.UNKNOWN_MODEL and SMOLLM2.name in caught.value.fix


def test_find_profile__class_without_one__says_how_to_make_it() -> None:
    with pytest.raises(Refused) as caught:
        find_profile(SMOLLM2, device="cuda")
    assert caught.value.reason is Reason.UNKNOWN_PROFILE and "calibrate" in caught.value.fix


def test_find_profile_by_digest__of_other_tensors_or_unknown__is_refused() -> None:
    profile = find_profile(SMOLLM2)
    other = replace(SMOLLM2, tensors=replace(SMOLLM2.tensors, sha256="0" * 64))
    for manifest, digest in ((SMOLLM2, b"\x01" * 32), (other, document_digest(profile))):
        with pytest.raises(Refused) as caught:
            find_profile_by_digest(manifest, digest)
        assert caught.value.reason is Reason.UNKNOWN_PROFILE
    assert find_profile_by_digest(SMOLLM2, document_digest(profile)) == profile


def test_find_model__by_name_or_digest__is_the_same() -> None:
    assert find_model("smollm2-135m-INSTRUCT") == find_model(document_digest(SMOLLM2)) == SMOLLM2
    assert SMOLLM2 in list_models()
    assert find_profile(SMOLLM2).tensors_sha256 == SMOLLM2.tensors.sha256


def test_document_digest__one_byte_of_the_weights__changes_it() -> None:
    other = replace(SMOLLM2, weights=FileDigest(SMOLLM2.weights.bytes, "0" * 64))
    assert document_digest(other) != document_digest(SMOLLM2)


def test_check_request__what_cannot_be_asked__is_refused() -> None:
    with pytest.raises(BadInput):
        check_request(SMOLLM2, [], 5)
    with pytest.raises(Malformed, match="Prompt token 1 is 49152"):
        check_request(SMOLLM2, [1, 49152], 5)
    with pytest.raises(BadInput):
        check_request(SMOLLM2, [1], 0)
    with pytest.raises(Refused) as caught:
        check_request(SMOLLM2, [1] * 8000, 193)
    assert caught.value.reason is Reason.TOO_MANY_TOKENS
    check_request(SMOLLM2, [1] * 8000, 192)
