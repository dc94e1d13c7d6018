"""xAI's live search: `search_parameters` of a request, and the `citations` of its answer.

Sources: https://docs.x.ai/docs/guides/live-search (Chat Completions answers it with 410 by now) and
https://docs.x.ai/docs/guides/tools/search-tools, whose tools in Responses took its place (2026-11-22).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from anygate.canonical.blocks import Citation, Text
from anygate.canonical.chat import Chat, NativeTool, Tool, WebSearchTool
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.json_values import Object, as_object
from anygate.protocols.openai_chat.fields import wanted_list, wanted_object, wanted_text

FIELD: Final = "search_parameters"
_RESPONSES: Final = "openai.responses"
_MODES: Final = ("off", "auto", "on")
_DATES: Final = ("from_date", "to_date")


@dataclass(slots=True)
class _Found:
    """What the sources ask for. `x` is None where posts are not searched; `extras` holds what has no twin."""

    extras: Object
    web: bool = False
    allowed: list[str] = field(default_factory=list[str])
    blocked: list[str] = field(default_factory=list[str])
    country: str = ""
    x: Object | None = None

    def read(self, source: Object, place: str) -> None:
        """One entry of `sources`."""
        match wanted_text(source, "type", f"{place}.type"):
            case "web" | "news":
                self.web = True
                self.allowed += _texts(source, "allowed_websites", place)
                self.blocked += _texts(source, "excluded_websites", place)
                self.country = wanted_text(source, "country", f"{place}.country") or self.country
                self._rest(source, place, {"allowed_websites", "excluded_websites", "country"})
            case "x":
                self.x = self.x or {"type": "x_search"}
                self._handles("allowed_x_handles", _texts(source, "included_x_handles", place))
                self._handles("allowed_x_handles", _texts(source, "x_handles", place))  # its older name
                self._handles("excluded_x_handles", _texts(source, "excluded_x_handles", place))
                self._rest(source, place, {"included_x_handles", "x_handles", "excluded_x_handles"})
            case _:
                self.extras[place] = source  # feeds: no tool reads them

    def _handles(self, name: str, handles: list[str]) -> None:
        if handles and self.x is not None:
            self.x[name] = [*self.x.get(name, []), *handles]

    def _rest(self, source: Object, place: str, known: set[str]) -> None:
        self.extras |= {
            f"{place}.{name}": value for name, value in source.items() if name not in known and name != "type"
        }


def decode_live_search(document: Mapping[str, Any]) -> tuple[tuple[Tool, ...], Object]:
    """The tools that stand for `search_parameters`, and extras: the field as it came, and by its path what has no twin.

    Without sources the web is searched. (xAI would look at posts, too: a tool that no other provider has.)

    Raises:
        InvalidRequest: a member that is understood has a wrong type.
    """
    if document.get(FIELD) is None:
        return (), {}
    settings = wanted_object(document, FIELD, FIELD)
    extras: Object = {FIELD: settings}
    mode = wanted_text(settings, "mode", f"{FIELD}.mode")
    if mode not in ("", *_MODES):
        raise InvalidRequest(f"`{FIELD}.mode` must be one of {', '.join(_MODES)}", param=f"{FIELD}.mode")
    if not isinstance(settings.get("return_citations"), bool | None):
        param = f"{FIELD}.return_citations"
        raise InvalidRequest(f"`{param}` must be true or false", param=param)
    found = _Found(extras)
    sources = wanted_list(settings, "sources", f"{FIELD}.sources")
    for index, source in enumerate(sources):
        place = f"{FIELD}.sources[{index}]"
        if not isinstance(source, dict):
            raise InvalidRequest(f"`{place}` must be an object", param=place)
        found.read(cast("Object", source), place)
    if mode == "off":
        return (), {FIELD: settings}
    found.web = found.web or not sources
    _other_settings(settings, found)
    tools: list[Tool] = []
    if found.web:
        location = {"country": found.country} if found.country else {}
        tools.append(WebSearchTool("", tuple(found.allowed), tuple(found.blocked), location))
    if found.x is not None:
        tools.append(NativeTool(_RESPONSES, found.x))
    return tuple(tools), extras


def _other_settings(settings: Object, found: _Found) -> None:
    """The dates go to the search in posts; the web cannot be kept to them."""
    for name, value in settings.items():
        if value is None or name in ("sources", "return_citations") or (name == "mode" and value != "on"):
            continue
        if name in _DATES and found.x is not None:
            found.x[name] = wanted_text(settings, name, f"{FIELD}.{name}")
        if name not in _DATES or found.web or found.x is None:
            found.extras[f"{FIELD}.{name}"] = value


def _texts(source: Object, name: str, place: str) -> list[str]:
    entries = wanted_list(source, name, f"{place}.{name}")
    if not all(isinstance(entry, str) for entry in entries):
        raise InvalidRequest(f"`{place}.{name}` must be a list of strings", param=f"{place}.{name}")
    return entries


def searches_live(chat: Chat) -> bool:
    """Did the client ask for its search in this way?"""
    return FIELD in chat.extras and as_object(chat.extras[FIELD]).get("mode") != "off"


def stands_for_live_search(chat: Chat, tool: Tool) -> bool:
    """Was the tool made of `search_parameters`?"""
    made = isinstance(tool, WebSearchTool) or (isinstance(tool, NativeTool) and tool.protocol == _RESPONSES)
    return made and searches_live(chat)


def lists_citations(chat: Chat) -> bool:
    """Does the answer name its sources beside the choices? So xAI did unless told not to."""
    return searches_live(chat) and as_object(chat.extras[FIELD]).get("return_citations") is not False


def cited_urls(blocks: Iterable[object]) -> Iterable[str]:
    """The addresses that the texts of an answer cite."""
    citations: Iterable[Citation] = (
        citation for block in blocks if isinstance(block, Text) for citation in block.citations
    )
    return (citation.url for citation in citations if citation.url)
