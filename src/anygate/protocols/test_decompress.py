"""Undoing a content coding to look into an answer: in any slices, bounded, without an accident."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.protocols import decompress
from anygate.protocols.decompress import Decompressor


def unfolded(coding: bytes, data: bytes, size: int) -> bytes:
    decoder = Decompressor(coding)
    plain = b"".join(decoder.decompress(data[start : start + size]) for start in range(0, len(data), size))
    assert not decoder.broken
    return plain


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=3), st.integers(1, 64))
def test_any_slicing_gives_the_content_also_of_several_members(parts: list[bytes], size: int):
    whole = b"".join(parts)
    assert unfolded(b"gzip", b"".join(gzip.compress(part, mtime=0) for part in parts), size) == whole
    assert unfolded(b" X-GZIP ", gzip.compress(whole, mtime=0), size) == whole
    assert unfolded(b"deflate", zlib.compress(whole), size) == whole


@given(st.binary(max_size=60))
def test_unsound_bytes_break_it_and_raise_nothing(data: bytes):
    decoder = Decompressor(b"gzip")
    decoder.decompress(b"\x1f\x8b" + data)
    decoder.decompress(data)
    assert decoder.decompress(b"no member of a gzip file") == b"" or not decoder.broken


def test_what_stood_before_the_unsound_bytes_is_told():
    decoder = Decompressor(b"gzip")
    assert decoder.decompress(gzip.compress(b"abc", mtime=0) + b"rubbish") == b"abc"
    assert decoder.broken
    assert decoder.decompress(gzip.compress(b"abc")) == b""


def test_a_small_answer_never_fills_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decompress, "MAX_DECODED_BYTES", 1000)
    decoder = Decompressor(b"gzip")
    assert len(decoder.decompress(gzip.compress(bytes(1 << 20)))) == 1000
    assert decoder.broken


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"", b"gzip, br"])
def test_an_unknown_coding_is_not_looked_into(coding: bytes):
    assert Decompressor(coding).broken


def test_very_many_members_are_not_begun():
    decoder = Decompressor(b"gzip")
    assert decoder.decompress(gzip.compress(b"a", mtime=0) + gzip.compress(b"", mtime=0) * 200_000) == b"a"
    assert decoder.broken
