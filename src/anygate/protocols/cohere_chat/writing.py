"""What the parts of the request's encoder share while they write one request."""

from dataclasses import dataclass, field

from anygate.canonical.blocks import CacheMark
from anygate.canonical.chat import Chat
from anygate.protocols.chat_codec import Dropped, Target
from anygate.protocols.parameter_names import client_name


@dataclass(slots=True)
class Writing:
    """One request being written for one upstream.

    Attributes:
        names: the client's tool names -> the upstream's, of those that differ.
        dropped: what is told to the client, each once, in order.
    """

    chat: Chat
    target: Target
    names: dict[str, str]
    dropped: dict[Dropped, None] = field(default_factory=dict[Dropped, None])

    def drop(self, attribute: str, reason: str) -> None:
        """Tell the client that a part of the request is not sent, by the client's own name of it."""
        self.dropped[Dropped(self.param(attribute), reason.replace(";", " -").replace(",", ""))] = None

    def param(self, attribute: str) -> str:
        """The client's name of an attribute."""
        return client_name(self.chat.protocol, attribute)

    def tool_name(self, name: str) -> str:
        """A tool's name for the upstream."""
        return self.names.get(name, name)

    def no_cache_mark(self, mark: CacheMark | None) -> None:
        """Cohere caches by itself; a mark is told and left out."""
        if mark is not None:
            self.drop("cache", "the provider has no cache marks")
