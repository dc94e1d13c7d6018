"""Carrying one provider's signature through a protocol of another: base64 text that names the maker.

A signature in its maker's own protocol stays as it came; any other travels tagged, so that it can be told from a native one
when it comes back, and goes to its maker alone.
"""

import base64
import binascii

from anygate.canonical.blocks import Signature
from anygate.protocols.chat_request import ChatRequest

_HEAD = b"anygate:"
_START = "YW55Z2F0Z"  # how base64 of the head begins


def tag(signature: Signature) -> str:
    """The signature as text that any protocol's field for signatures takes (standard base64)."""
    carried = f"{signature.maker}:{signature.value}"
    return base64.b64encode(_HEAD + carried.encode("utf-8", "surrogatepass")).decode()


def untag(text: str) -> Signature:
    """What `tag` carried; a text that carries nothing is a signature whose maker is not said.

    Makers hold no colon (they are slugs).
    """
    if text.startswith(_START):
        try:
            raw = base64.b64decode(text, validate=True)
            maker, found, value = raw[len(_HEAD) :].decode("utf-8", "surrogatepass").partition(":")
        except (binascii.Error, ValueError):
            return Signature(text)
        if found and raw.startswith(_HEAD):
            return Signature(value, maker)
    return Signature(text)


def holds_tag(request: ChatRequest) -> bool:
    """Does the request hold a signature that `tag` carried? Its own protocol's providers would refuse it."""
    return request.raw.find(_MARK) >= 0


_MARK = _START.encode()
