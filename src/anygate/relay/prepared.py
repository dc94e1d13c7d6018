"""What one attempt sends, complete."""

from collections.abc import Sequence

from anygate.protocols.chat_codec import ChatCodec
from anygate.relay.targets import Target
from anygate.relay.translation import Translation


class Prepared:
    """A request that can be sent.

    Attributes:
        target: where it goes.
        head: of the request, up to the headers that the upstream client adds.
        body: in pieces.
        codec: of the upstream's protocol.
        strip: usage chunks were asked for by us alone and are taken out of the stream again.
        translation: turns the answer into the client's protocol, where that is another.
    """

    __slots__ = ("body", "codec", "head", "strip", "target", "translation")

    def __init__(
        self,
        target: Target,
        head: bytes,
        body: Sequence[bytes | memoryview],
        codec: ChatCodec,
        strip: bool,
        translation: Translation | None = None,
    ) -> None:
        self.target = target
        self.head = head
        self.body = body
        self.codec = codec
        self.strip = strip
        self.translation = translation
