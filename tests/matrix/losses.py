"""What an answer loses on its way to a client, and why: the document shows it, and nothing else may be lost."""

from collections.abc import Mapping

from tests.matrix.wire import A, C, G, R

_NOT_ASKED = "cannot be asked for in this protocol"

ANSWER_LOSSES: Mapping[tuple[str, str], str] = {
    ("several answers", R): _NOT_ASKED,
    ("several answers", A): _NOT_ASKED,
    ("sound", R): _NOT_ASKED,
    ("sound", A): _NOT_ASKED,
    ("log probabilities", A): _NOT_ASKED,
    ("web search", C): "shows in the citations alone",
    ("code execution", C): _NOT_ASKED,
    ("code execution", R): "only the provider's own; another's " + _NOT_ASKED,
    ("code execution", G): "only the provider's own; another's " + _NOT_ASKED,
    ("stop sequence", C): "told as the end",
    ("stop sequence", R): "told as the end",
    ("stop sequence", G): "told as the end",
    ("paused server tool", C): "told as the end",
    ("paused server tool", R): "told as the end",
    ("paused server tool", G): "told as the end",
    ("tokens written to a cache", G): "counted among the other input",
    ("tokens of sound", R): "counted among the other tokens",
    ("tokens of sound", A): "counted among the other tokens",
}
"""(feature of an answer, client) -> the reason."""

WAYS_BACK: Mapping[tuple[str, str, str], str] = {
    ("signature of a text", A, G): "the gateway keeps it, because clients take an answer's last block for what it says",
}
"""(kind of signature, client, upstream) -> why it does not come back by what the client sends alone."""
