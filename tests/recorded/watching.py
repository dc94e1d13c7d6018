"""An observer that sees a recorded stream go by."""

from typing import TypeVar

from anygate.protocols.chat_codec import Observer

_O = TypeVar("_O", bound=Observer)


def watch(observer: _O, body: bytes, step: int) -> _O:
    """The observer, when it has seen the body in pieces of `step` bytes."""
    for at in range(0, len(body), step):
        if observer.feed(body[at : at + step]):
            observer.flush()
    observer.finish()
    return observer
