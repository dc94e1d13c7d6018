"""Signatures of other makers inside `encrypted_content`, the one field of Responses that clients hand back unread.

A reasoning item carries the signature of a thought; or, as an item of its own, that of a tool call, a text or an image
(Gemini signs those). The first line of what is tagged says which.
"""

from typing import Literal, NamedTuple

from anygate.canonical.blocks import Signature
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.signature_tag import holds_tag, tag, untag

MADE = "rs_anygate"
"""How the ids of reasoning items begin that no OpenAI made: without encrypted content it would look for them in vain."""

Of = Literal["thinking", "redacted", "call", "text", "media"]
_MARKED: tuple[Of, ...] = ("redacted", "call", "text", "media")


class Carrier(NamedTuple):
    """A signature and what it belongs to; `call_id` where that is a tool call."""

    of: Of
    signature: Signature
    call_id: str = ""


def pack(carrier: Carrier) -> str:
    """Text for `encrypted_content`. A thought's signature by no named maker is the protocol's own and stays raw."""
    of, signature, call_id = carrier
    if of == "thinking":
        return tag(signature) if signature.maker else signature.value
    head = f"{of}\n{call_id}\n" if of == "call" else f"{of}\n"
    return tag(Signature(head + signature.value, signature.maker))


def unpack(text: str) -> Carrier:
    """What `pack` made; anything else is a thought's signature whose maker is not said."""
    signature = untag(text)
    value, maker = signature.value, signature.maker
    for of in _MARKED if signature.value != text else ():
        if value.startswith(of + "\n"):
            rest = value[len(of) + 1 :]
            call_id = ""
            if of == "call":
                call_id, _, rest = rest.partition("\n")
            return Carrier(of, Signature(rest, maker), call_id)
    return Carrier("thinking", signature)


def holds_foreign(request: ChatRequest) -> bool:
    """Does the history hold thoughts of another maker? OpenAI would refuse them."""
    return holds_tag(request) or request.raw.find(_MADE) >= 0


_MADE = b'"' + MADE.encode()
