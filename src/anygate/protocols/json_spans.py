"""Where the members of a JSON object lie in its bytes, so that one value can be edited and all others travel untouched.

The text must already have been parsed by a real parser: here only positions are found, nothing is validated.
"""

import re
from collections.abc import Iterable, Sequence
from mmap import mmap
from typing import Any, NamedTuple, cast

import orjson

from anygate.canonical.errors import InvalidRequest

Buffer = bytes | mmap

MAX_DEPTH = 128

MOST_MEMBERS = 4_096
"""Of one object. No protocol has so many, and each takes microseconds."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb"[^,}\] \t\r\n]+")
_STRUCTURE = re.compile(rb'["{}\[\]]')
_QUOTE, _COMMA, _BACKSLASH = b'",\\'
_OPENING = b"{["


class TooDeep(ValueError):
    """The text is nested deeper than MAX_DEPTH."""


class Member(NamedTuple):
    """One member of an object: its decoded name and three positions in the text."""

    name: str
    name_start: int
    value_start: int
    value_end: int


def members(raw: Buffer, start: int = 0) -> list[Member]:
    """The members of the object at `start` (leading white space allowed), in order, repeated names included.

    Raises:
        TooDeep: a member's value is nested deeper than MAX_DEPTH.
        InvalidRequest: there are more than MOST_MEMBERS.
    """
    found: list[Member] = []
    position = _skip(raw, _skip(raw, start) + 1)
    while raw[position] == _QUOTE:
        name_start = position
        name_end = _string_end(raw, position)
        name = orjson.loads(raw[name_start:name_end])
        value_start = _skip(raw, _skip(raw, name_end) + 1)
        value_end = _value_end(raw, value_start)
        found.append(Member(name, name_start, value_start, value_end))
        if len(found) > MOST_MEMBERS:
            raise InvalidRequest(f"An object has more than {MOST_MEMBERS} members")
        position = _skip(raw, value_end)
        if raw[position] == _COMMA:
            position = _skip(raw, position + 1)
    return found


def surely_shallow(raw: bytes) -> bool:
    """A quick yes for a valid text nested no deeper than MAX_DEPTH: it has too few brackets. No means "look closer"."""
    return raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH


def shallow(value: Any) -> bool:
    """Is a parsed object or array nested no deeper than MAX_DEPTH?"""
    found: list[Any] = [value]
    for outer in found:
        for inner in cast("Iterable[Any]", outer.values() if type(outer) is dict else outer):
            if type(inner) is dict or type(inner) is list:
                found.append(inner)
        if len(found) > MAX_DEPTH:
            break
    else:
        return True  # too few to be that deep
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return True
    return False


class Edit(NamedTuple):
    """Replace raw[start:end] by `text`; start == end inserts."""

    start: int
    end: int
    text: bytes


def apply(raw: Buffer, edits: Sequence[Edit], join_below: int = 1 << 16) -> list[bytes | memoryview]:
    """The edited text in pieces: one joined piece when it is small, else slices that copy nothing.

    Edits must not overlap; several insertions at one place keep their order.
    """
    view = memoryview(raw)
    pieces: list[bytes | memoryview] = []
    position = 0
    for edit in sorted(edits, key=_edit_start):
        if edit.start > position:
            pieces.append(view[position : edit.start])
        if edit.text:
            pieces.append(edit.text)
        position = edit.end
    if position < len(view):
        pieces.append(view[position:])
    return [b"".join(pieces)] if len(view) <= join_below else pieces


def _edit_start(edit: Edit) -> int:
    return edit.start


def _skip(raw: Buffer, position: int) -> int:
    match = _SPACE.match(raw, position)
    return match.end() if match else position


def _string_end(raw: Buffer, position: int) -> int:
    """The place after the string that begins at `position`; long strings pass at the speed of memchr."""
    end = raw.find(b'"', position + 1)
    while raw[end - 1] == _BACKSLASH and _backslashes(raw, end) % 2:
        end = raw.find(b'"', end + 1)
    return end + 1


def _backslashes(raw: Buffer, end: int) -> int:
    """How many stand before `end`."""
    size = 16
    while True:
        before = raw[max(end - size, 0) : end]
        count = len(before) - len(before.rstrip(b"\\"))
        if count < len(before):
            return count
        size *= 8


def _value_end(raw: Buffer, position: int) -> int:
    byte = raw[position]
    if byte == _QUOTE:
        return _string_end(raw, position)
    if byte not in _OPENING:
        match = _SCALAR.match(raw, position)
        return match.end() if match else position
    depth = 1  # of this value; the object around it is one level more
    position += 1
    search = _STRUCTURE.search
    while depth:
        match = search(raw, position)
        if match is None:
            raise ValueError("not the JSON that was parsed")
        position = match.end()
        byte = raw[position - 1]
        if byte == _QUOTE:
            position = _string_end(raw, position - 1)
        elif byte in _OPENING:
            depth += 1
            if depth >= MAX_DEPTH:
                raise TooDeep
        else:
            depth -= 1
    return position
