"""A request for a model's next turn, whatever protocol it came in.

Every chat codec translates between its wire format and these words, those of `blocks` and those of `chat_events`. Nothing
here behaves; absent values are "", None or ().
"""

from typing import Literal

import msgspec

from anygate.canonical.blocks import Block, CacheMark, Json, Text

Role = Literal["user", "assistant", "system"]
Effort = Literal["", "minimal", "low", "medium", "high", "xhigh", "max"]


class Turn(msgspec.Struct, frozen=True):
    """One side speaking. Tool results stand in user turns. A "system" turn is an instruction in the middle."""

    role: Role
    blocks: tuple[Block, ...]
    name: str = ""


class FunctionTool(msgspec.Struct, frozen=True, tag="function"):
    """A tool that the client runs. `schema` is JSON Schema of the arguments, None where the client gave none."""

    name: str
    description: str = ""
    schema: Json | None = None
    strict: bool | None = None
    cache: CacheMark | None = None


class CustomTool(msgspec.Struct, frozen=True, tag="custom"):
    """A tool that takes free text. `format` is the protocol's own grammar object."""

    name: str
    description: str = ""
    format: Json | None = None


class WebSearchTool(msgspec.Struct, frozen=True, tag="web_search"):
    """Let the provider search the web. `location`: {country, city, region, timezone}."""

    context_size: str = ""
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    location: Json = {}
    max_uses: int | None = None


class NativeTool(msgspec.Struct, frozen=True, tag="native"):
    """A built-in tool of one protocol: carried there, else refused by name."""

    protocol: str
    raw: Json


Tool = FunctionTool | CustomTool | WebSearchTool | NativeTool


class ToolChoice(msgspec.Struct, frozen=True):
    """Which tools may or must be called. "one" names one in `names`; "subset" allows those in `names` (`must`: one of them)."""

    mode: Literal["auto", "none", "required", "one", "subset"]
    names: tuple[str, ...] = ()
    must: bool = False


class Sampling(msgspec.Struct, frozen=True):
    """How tokens are drawn. None: the model's default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Json | None = None
    logprobs: bool = False
    top_logprobs: int | None = None


class Format(msgspec.Struct, frozen=True):
    """The form of the answer: any JSON, or JSON by a schema."""

    kind: Literal["json", "schema"]
    schema: Json | None = None
    name: str = ""
    description: str = ""
    strict: bool | None = None


class Reasoning(msgspec.Struct, frozen=True):
    """How much the model shall think.

    Attributes:
        enabled: False: not at all; True: yes; None: not said.
        budget: tokens.
        adaptive: the model decides how much (Claude), `effort` guides it.
        show: the client wants to see thoughts (None: the protocol's default).
        summary: OpenAI Responses' "auto", "concise" or "detailed".
        encrypted: the client wants encrypted reasoning to hand back (Responses' include).
    """

    enabled: bool | None = None
    effort: Effort = ""
    budget: int | None = None
    adaptive: bool = False
    show: bool | None = None
    summary: str = ""
    encrypted: bool = False


class Speech(msgspec.Struct, frozen=True):
    """Spoken output. `raw` is the native object of `protocol` where there is more than a voice and a format."""

    voice: str = ""
    format: str = ""
    protocol: str = ""
    raw: Json = {}


class Chat(msgspec.Struct, frozen=True):
    """A request for the next turn.

    Attributes:
        protocol: the codec that read it.
        system: instructions before the first turn.
        output_limit: tokens, thinking included; None: not said.
        modalities: of the answer; (): text.
        extras: fields of the client's request that have no word here, by name, as they came. Every encoder reports those
            that it does not carry.
    """

    protocol: str
    model: str
    turns: tuple[Turn, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    output_limit: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1
    sampling: Sampling = Sampling()
    format: Format | None = None
    reasoning: Reasoning | None = None
    verbosity: str = ""
    modalities: tuple[str, ...] = ()
    speech: Speech | None = None
    image: Json = {}
    service_tier: str = ""
    user: str = ""
    metadata: Json = {}
    cache_key: str = ""
    stream: bool = False
    include_usage: bool = False
    extras: Json = {}
