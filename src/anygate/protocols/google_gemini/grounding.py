"""What an answer rests on: `groundingMetadata` and `citationMetadata` <-> citations and searches.

Source: https://ai.google.dev/gemini-api/docs/google-search and .../api/generate-content#GroundingMetadata (2026-11-22).
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from anygate.canonical.blocks import Citation, Json, WebSearchCall
from anygate.protocols.google_gemini.names import PROTOCOL_NAME
from anygate.protocols.google_gemini.visible import Place, VisibleText
from anygate.protocols.json_values import as_objects

_SOURCES = ("web", "retrievedContext", "maps", "image")
_TRANSLATED = frozenset({"groundingChunks", "groundingSupports", "webSearchQueries"})


def citations_of(metadata: Mapping[str, Any], text: VisibleText, base: Sequence[int]) -> list[tuple[Place, Citation]]:
    """The citations of a `groundingMetadata`.

    Args:
        metadata: as it came, whatever its shape.
        text: the visible text so far.
        base: for each part of the frame, the visible bytes before it.
    """
    chunks = as_objects(metadata.get("groundingChunks"))
    found: list[tuple[Place, Citation]] = []
    for support in as_objects(metadata.get("groundingSupports")):
        segment = support.get("segment")
        segment = cast("dict[str, Any]", segment) if isinstance(segment, dict) else {}
        quote = segment.get("text")
        quote = quote if isinstance(quote, str) else ""
        part = _index(segment.get("partIndex"))
        offset = base[part] if 0 < part < len(base) else 0
        place = text.locate(offset + _index(segment.get("startIndex")), offset + _index(segment.get("endIndex")), quote)
        indices = support.get("groundingChunkIndices")
        scores = support.get("confidenceScores")
        if place is None or not isinstance(indices, list):
            continue
        for position, number in enumerate(cast("list[Any]", indices)):
            if type(number) is int and 0 <= number < len(chunks):
                raw = _raw(chunks[number], _at(scores, position))
                found.append((place, _citation(chunks[number], quote, place, raw)))
    return found


def recitations_of(metadata: Mapping[str, Any], text: VisibleText) -> list[tuple[Place, Citation]]:
    """The citations of a `citationMetadata`: sources that the answer repeats. Those that name no source are left out."""
    found: list[tuple[Place, Citation]] = []
    for name in ("citationSources", "citations"):
        for source in as_objects(metadata.get(name)):
            url, title = source.get("uri"), source.get("title")
            place = text.locate(_index(source.get("startIndex")), _index(source.get("endIndex")), "")
            if place is None or not (url or title):
                continue
            citation = Citation(
                url if isinstance(url, str) else "",
                title if isinstance(title, str) else "",
                start=place.start,
                end=place.end,
                protocol=PROTOCOL_NAME,
                raw={"citationSource": source},
            )
            found.append((place, citation))
    return found


def searches_of(metadata: Mapping[str, Any]) -> list[WebSearchCall]:
    """One search for each query; the first carries what else the metadata says (the search entry point)."""
    rest = {name: value for name, value in metadata.items() if name not in _TRANSLATED}
    given = metadata.get("webSearchQueries")
    queries = cast("list[Any]", given) if isinstance(given, list) else []
    queries = [query for query in queries if isinstance(query, str) and query]
    return [
        WebSearchCall(query=query, protocol=PROTOCOL_NAME, raw={"groundingMetadata": rest if number == 0 else {}})
        for number, query in enumerate(queries)
    ]


class GroundingEncoder:
    """Gathers the citations and searches of one choice, and writes Google's metadata at its end.

    Segments of a stream count from the start of all visible text; those of a whole answer name their part.
    """

    __slots__ = ("_chunks", "_numbers", "_queries", "_rest", "_sources", "_supports", "text")

    def __init__(self) -> None:
        self.text = VisibleText()
        self._chunks: list[Json] = []
        self._numbers: dict[str, int] = {}
        self._supports: list[tuple[int, Citation]] = []
        self._sources: list[Json] = []
        self._queries: list[str] = []
        self._rest: dict[str, Any] = {}

    def cite(self, block: int, citation: Citation) -> None:
        """A citation of a text block."""
        source = citation.raw.get("citationSource") if citation.protocol == PROTOCOL_NAME else None
        if isinstance(source, dict):
            self._sources.append(cast("dict[str, Any]", source))
        else:
            self._supports.append((block, citation))

    def search(self, call: WebSearchCall) -> None:
        """A search that was made."""
        if call.query:
            self._queries.append(call.query)
        if call.protocol == PROTOCOL_NAME:
            self.take(call.raw.get("groundingMetadata"))

    def take(self, metadata: Any) -> None:
        """More members of the metadata, as they came."""
        if isinstance(metadata, dict):
            self._rest |= cast("dict[str, Any]", metadata)

    def members(self, parts: Mapping[int, int] | None = None) -> dict[str, Any]:
        """`groundingMetadata` and `citationMetadata` of the candidate, where there is something to say.

        Args:
            parts: text block -> index of its part; None in a stream.
        """
        members: dict[str, Any] = {}
        supports = [self._support(block, citation, parts) for block, citation in self._supports]
        grounding = dict(self._rest)
        if self._chunks:
            grounding |= {"groundingChunks": self._chunks, "groundingSupports": supports}
        if self._queries:
            grounding["webSearchQueries"] = self._queries
        if grounding:
            members["groundingMetadata"] = grounding
        if self._sources:
            members["citationMetadata"] = {"citationSources": self._sources}
        return members

    def _support(self, block: int, citation: Citation, parts: Mapping[int, int] | None) -> dict[str, Any]:
        start, end, quote = self.text.byte_range(block, citation.start, citation.end)
        segment: dict[str, Any] = {}
        if parts is None:
            offset = self.text.offset_bytes(block)
            start, end = start + offset, end + offset
        elif parts.get(block):
            segment["partIndex"] = parts[block]
        segment |= {"startIndex": start, "endIndex": end, "text": quote}
        support: dict[str, Any] = {"segment": segment, "groundingChunkIndices": [self._number(citation)]}
        score = citation.raw.get("confidenceScore") if citation.protocol == PROTOCOL_NAME else None
        if score is not None:
            support["confidenceScores"] = [score]
        return support

    def _number(self, citation: Citation) -> int:
        chunk: Json = {"web": {"uri": citation.url, "title": citation.title}}
        if citation.protocol == PROTOCOL_NAME and "groundingChunk" in citation.raw:
            chunk = citation.raw["groundingChunk"]
        key = repr(chunk)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._chunks)
            self._chunks.append(chunk)
        return number


def _citation(chunk: Mapping[str, Any], quote: str, place: Place, raw: Json) -> Citation:
    sources = (chunk.get(name) for name in _SOURCES)
    source = next((cast("dict[str, Any]", source) for source in sources if isinstance(source, dict)), dict[str, Any]())
    url = source.get("uri") or source.get("sourceUri")
    title = source.get("title")
    return Citation(
        url=url if isinstance(url, str) else "",
        title=title if isinstance(title, str) else "",
        quote=quote,
        start=place.start,
        end=place.end,
        protocol=PROTOCOL_NAME,
        raw=raw,
    )


def _raw(chunk: Mapping[str, Any], score: Any) -> Json:
    """What a citation of ours has no words for."""
    raw: dict[str, Any] = {}
    web = chunk.get("web")
    if len(chunk) != 1 or not isinstance(web, dict) or set(cast("dict[str, Any]", web)) != {"uri", "title"}:
        raw["groundingChunk"] = chunk
    if score is not None:
        raw["confidenceScore"] = score
    return raw


def _index(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 31 else 0


def _at(values: Any, position: int) -> Any:
    if not isinstance(values, list):
        return None
    values = cast("list[Any]", values)
    return values[position] if position < len(values) else None
