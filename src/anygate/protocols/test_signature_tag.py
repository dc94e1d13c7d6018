"""Signatures in foreign fields: they come back as they went, and native ones are never touched."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.blocks import Signature
from anygate.protocols.signature_tag import tag, untag

ANY = st.text(st.characters(codec=None))  # lone surrogates too: some upstreams' JSON holds them


@given(ANY, st.sampled_from(["", "anthropic", "gemini", "aws-bedrock"]))
def test_a_tagged_signature_comes_back_with_its_maker(value: str, maker: str):
    text = tag(Signature(value, maker))
    assert untag(text) == Signature(value, maker)
    assert base64.b64decode(text, validate=True)


@given(ANY | st.text("YW55Z2F0ZTo=abc+/", max_size=30).map(lambda text: "YW55Z2F0Z" + text))
def test_a_text_is_either_carried_or_left_as_it_is(text: str):
    found = untag(text)
    assert found == Signature(text) or tag(found).rstrip("=")[:12] == text[:12]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ErUBCkYIBhgCIkD",
        "YW55Z2F0Z",
        "YW55Z2F0ZTo",
        "YW55Z2F0ZTp4",  # "anygate:x" names no value
        "YW55Z2F0ZTo////",
        base64.b64encode(b"anygate; not ours: x").decode(),
        tag(Signature("v", "m"))[:-1] + "\n",
    ],
)
def test_what_only_looks_like_ours_is_a_native_signature(text: str):
    assert untag(text) == Signature(text)
