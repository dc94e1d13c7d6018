"""The shape of a provider's table. Routes, prices, the sandbox and the conformance tests read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from anygate.canonical.price import Price


@dataclass(frozen=True, slots=True)
class Auth:
    """How a channel's credential is sent: one header made of a template over the credential's values.

    `required` names the credential values (`key = "..."` gives the value `key`). A credential of an upstream
    that asks for none (a local server) may be absent when `optional`. Schemes other than "header" make the header
    anew: "aws.sigv4" signs each request (values access_key, secret_key and, if temporary, session_token; the `option`
    region), "google.service_account" sends an access token got with the account's JSON (value `key`).
    """

    header: str = "Authorization"
    template: str = "Bearer {key}"
    required: tuple[str, ...] = ("key",)
    optional: bool = False
    scheme: Literal["header", "aws.sigv4", "google.service_account"] = "header"
    service: str = ""  # of aws.sigv4: "bedrock"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One upstream operation spoken in a known protocol.

    `path` may hold `{model}` (the upstream's model name, percent-encoded) and `{option}` of the channel, in the form
    `{option:text}` with what stands for an option that is not set. `query` likewise, sent as the query string; a pair
    whose value comes out empty is left out. Relative to the channel's base URL. `{..._id}` is the id of a thing, which the
    request brings.

    Attributes:
        stream_path, stream_query: where a stream is asked for, if that is another place; "" is the same.
        framing: how a stream comes: as SSE, or in AWS event-stream messages whose payloads are the protocol's events.
        models, not_models: wildcards over the upstream's model names that it serves, and that it does not; () = all, none.
        set_body, drop_body: top-level members that are always set, and never sent, here.
        headers: sent unless the client sends its own.
        opt_in: served only on channels whose `protocols` name this one.
        by_credential: a credential that holds this value is sent in this way instead; see `auth.chosen_auth`.
        replaces: ends of a declared base URL that lead to the provider's other protocols and are left out here.
        maker: whose signatures these models make and take; "": the provider's.
        refuses: top-level members of the protocol that are not taken here. A request in this protocol that holds one is
            served, translated, through the operation's next endpoint that takes it; where there is none it is sent on.
        other_models: members, as "name" or "outer.inner", by which a request names further models, which answer at the
            price of the one that is asked for.
    """

    protocol: str  # codec: "openai.chat"
    method: str
    path: str
    query: str = ""
    auth: Auth | None = None  # None: the provider's
    by_option: Mapping[tuple[str, str], "Endpoint"] = field(default_factory=dict[tuple[str, str], "Endpoint"])
    """(option, value) -> the endpoint of channels with this value; see `registry.endpoint`."""
    stream_path: str = ""
    stream_query: str = ""
    framing: Literal["sse", "aws"] = "sse"
    models: tuple[str, ...] = ()
    not_models: tuple[str, ...] = ()
    set_body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    drop_body: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    opt_in: bool = False
    by_credential: Mapping[str, Auth] = field(default_factory=dict[str, Auth])
    replaces: tuple[str, ...] = ()
    maker: str = ""
    refuses: tuple[str, ...] = ()
    other_models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """One key of a channel's `options`."""

    kind: Literal["str", "bool", "int"]
    default: Any = None
    choices: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the provider's default list. `max_output` bounds the hold when the request names no limit."""

    name: str
    max_output: int = 0  # 0: unknown
    price: Price | None = None  # None: the package genai-prices, under `prices_as`


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's table.

    Attributes:
        slug: folder name and the `provider` of a channel.
        title: shown to people.
        base_url: origin and prefix before each endpoint's path; empty where the channel must name it. May hold
            `{option}` in its host.
        base_urls: (option, value) -> the base URL of channels with this value instead.
        folds: ends of a declared base URL that stand for the beginning of the endpoints' paths; the first is how those
            paths begin, the others ("/api/coding/paas/v4") replace it. An end that itself begins the path needs no entry.
        endpoints: operation -> how the provider speaks it natively. Chat in a second protocol stands under
            "chat.<what design.md calls it>": "chat" is the protocol into which others are translated first.
        models: the default model list, with prices that genai-prices lacks.
        prices_as: the provider's id in genai-prices; empty: none.
        also_asks: rates of all its models that genai-prices lacks.
        usage_stream_options: whether `stream_options.include_usage` is taken (`options.stream_usage` overrides).
        limit_field: the output-limit field that the provider takes when the client named none.
        media_tokens: input tokens held for a media part of a kind ("image", "audio", "file", "video").
        reference: the provider's page and the date it was read.
        maker: whose signatures over thoughts the provider's models make and take; "": the slug.
        traits: facts of the provider's dialect that the codecs ask for; each codec's `encode` names those it knows.
        wildcard_models: any model name is passed on, priced or not (self-hosted servers, other relays).
    """

    slug: str
    title: str
    base_url: str
    reference: str
    auth: Auth = Auth()
    folds: tuple[str, ...] = ()
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict[str, Endpoint])
    models: tuple[Model, ...] = ()
    prices_as: str = ""
    also_asks: tuple[tuple[str, Decimal], ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict[str, Option])
    usage_stream_options: bool = True
    limit_field: str = "max_tokens"
    media_tokens: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_MEDIA_TOKENS))
    wildcard_models: bool = False
    title_zh: str = ""
    maker: str = ""
    traits: frozenset[str] = frozenset()
    base_urls: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])


COMMON_OPTIONS: Mapping[str, Option] = {
    "stream_usage": Option("bool", help="whether the upstream takes stream_options.include_usage"),
}
"""Options of every channel, beside those of its provider's table."""

DEFAULT_MEDIA_TOKENS: Mapping[str, int] = {"image": 2_000, "audio": 8_000, "file": 20_000, "video": 40_000}
"""Input tokens held per media part where a table says nothing; usage corrects them at the close."""
