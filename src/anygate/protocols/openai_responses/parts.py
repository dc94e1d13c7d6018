"""Content parts of messages and tool results <-> blocks.

Source: https://platform.openai.com/docs/api-reference/responses/create, `input` (2026-11-22). `input_audio` and
`input_video` are not in OpenAI's document; upstreams that speak the protocol take them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from anygate.canonical.blocks import CacheMark, Citation, Media, NativeBlock, Refusal, Text, TokenLogprob
from anygate.protocols.json_values import as_list, as_object, as_objects, as_text
from anygate.protocols.media_type import data_uri, extension_of, kind_of, mime_of, split_data_uri
from anygate.protocols.openai_responses.carried import NAME, NativePart, options_of, with_options
from anygate.protocols.openai_responses.json_values import whole

_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_TEXT_FIELDS = frozenset({"type", "text", "annotations", "logprobs", "prompt_cache_breakpoint"})
_MEDIA_FIELDS = frozenset(
    {"type", "image_url", "file_id", "detail", "filename", "file_data", "file_url", "prompt_cache_breakpoint"}
)

Part = Text | Media | Refusal | NativeBlock


def decode_part(part: Mapping[str, Any]) -> Part:
    """A part as a block; one that is not known becomes a NativePart."""
    kind = as_text(part.get("type"))
    if kind in _TEXTS and isinstance(part.get("text"), str):
        block = Text(
            part["text"],
            citations=tuple(decode_annotation(entry) for entry in as_objects(part.get("annotations"))),
            cache=_cache(part),
            logprobs=decode_logprobs(part.get("logprobs")),
        )
        return with_options(block, _rest(part, _TEXT_FIELDS))
    match kind:
        case "refusal":
            return Refusal(as_text(part.get("refusal")))
        case "input_image":
            return _media(part, as_text(part.get("image_url")), "image/")
        case "input_file":
            return _media(part, as_text(part.get("file_url")) or as_text(part.get("file_data")), "")
        case "input_audio":
            audio = as_object(part.get("input_audio"))
            mime = mime_of(as_text(audio.get("format")))
            return Media("audio", mime or "audio/mpeg", as_text(audio.get("data")), options={NAME: {"raw": dict(part)}})
        case "input_video":
            return Media("video", url=as_text(part.get("video_url")), options={NAME: {"raw": dict(part)}})
        case _:
            return NativePart(NAME, part)


def decode_content(content: Any) -> list[Part]:
    """The parts of `content` or `output`: a text, or a list of parts; a bare text in the list is a part too."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    blocks: list[Part] = []
    for part in as_list(content):
        if isinstance(part, str):
            blocks.append(Text(part))
        elif isinstance(part, dict):
            blocks.append(decode_part(cast("dict[str, Any]", part)))
    return blocks


def encode_text(block: Text, kind: str, *, breakpoints: bool) -> dict[str, Any]:
    """A text part of a kind; `breakpoints`: cache marks can be said."""
    part: dict[str, Any] = {"type": kind, "text": block.text}
    if kind == "output_text":
        part["annotations"] = [encode_annotation(citation, block.text) for citation in block.citations]
        if block.logprobs:
            part["logprobs"] = encode_logprobs(block.logprobs)
    if block.cache is not None and breakpoints:
        part["prompt_cache_breakpoint"] = {"mode": "explicit"}
    return part | options_of(block).get("part", {})


def encode_media(block: Media, *, own: bool, breakpoints: bool) -> dict[str, Any] | None:
    """An `input_image` or `input_file` part; None where the protocol has none for it.

    Args:
        block: by data, by a http(s) URL, or by a file id of the upstream's account.
        own: it came in this protocol, so nothing is filled in.
        breakpoints: cache marks can be said.
    """
    rest = options_of(block)
    if "raw" in rest:
        return dict(rest["raw"])
    if block.kind not in ("image", "file"):
        return None
    part = _place(block, own=own)
    if part is None:
        return None
    if block.name and block.kind == "file":
        part["filename"] = block.name
    if block.detail or (block.kind == "image" and not own):
        part["detail"] = block.detail or "auto"
    if block.cache is not None and breakpoints:
        part["prompt_cache_breakpoint"] = {"mode": "explicit"}
    return part | rest.get("part", {})


def _place(block: Media, *, own: bool) -> dict[str, Any] | None:
    """Where an image or file is found; None where it is nowhere."""
    image = block.kind == "image"
    part: dict[str, Any] = {"type": "input_image" if image else "input_file"}
    if block.data:
        part["image_url" if image else "file_data"] = data_uri(block.mime, block.data)
        if not image and not own:
            part["filename"] = f"file.{extension_of(block.mime) or 'bin'}"  # data without a name is refused
    elif block.url.startswith(("https://", "http://")):
        part["image_url" if image else "file_url"] = block.url
    elif block.file_id:
        part["file_id"] = block.file_id
    else:
        return None
    return part


def decode_annotation(raw: Mapping[str, Any]) -> Citation:
    """A `url_citation` in neutral words; the others only by name, with the original beside it."""
    start, end = raw.get("start_index"), raw.get("end_index")
    citation = Citation(
        url=as_text(raw.get("url")),
        title=as_text(raw.get("title")) or as_text(raw.get("filename")),
        start=start if type(start) is int else -1,
        end=end if type(end) is int else -1,
    )
    if encode_annotation(citation, "") == raw:
        return citation
    return Citation(citation.url, citation.title, "", citation.start, citation.end, NAME, raw)


def encode_annotation(citation: Citation, text: str) -> dict[str, Any]:
    """A citation as an annotation of `text`; one of the whole block covers all of it."""
    if citation.protocol == NAME and citation.raw:
        return dict(citation.raw)
    whole_block = citation.start < 0
    return {
        "type": "url_citation",
        "start_index": 0 if whole_block else citation.start,
        "end_index": len(text) if whole_block else citation.end,
        "url": citation.url,
        "title": citation.title,
    }


def decode_logprobs(given: Any) -> tuple[TokenLogprob, ...]:
    """Log probabilities; entries that are none are left out."""
    if not given:
        return ()
    return tuple(_logprob(entry) for entry in as_objects(given))


def encode_logprobs(logprobs: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """As OpenAI writes them: token, bytes, and the likeliest others."""
    return [
        {
            "token": entry.token,
            "bytes": _bytes(entry),
            "logprob": entry.logprob,
            "top_logprobs": [
                {"token": other.token, "bytes": _bytes(other), "logprob": other.logprob} for other in entry.top
            ],
        }
        for entry in logprobs
    ]


def _logprob(entry: Mapping[str, Any]) -> TokenLogprob:
    value = entry.get("logprob")
    number = float(value) if isinstance(value, int | float) else 0.0
    raw = entry.get("bytes")
    spelled = tuple(whole(byte) for byte in cast("list[Any]", raw)) if isinstance(raw, list) else None
    top = tuple(_logprob(other) for other in as_objects(entry.get("top_logprobs")))
    return TokenLogprob(as_text(entry.get("token")), number, spelled, top)


def _bytes(entry: TokenLogprob) -> list[int]:
    return list(entry.bytes if entry.bytes is not None else entry.token.encode("utf-8", "replace"))


def _cache(part: Mapping[str, Any]) -> CacheMark | None:
    return CacheMark() if isinstance(part.get("prompt_cache_breakpoint"), dict) else None


def _media(part: Mapping[str, Any], place: str, family: str) -> Media:
    """An image or file by data URI, bare base64, URL or file id; what the data URI says of the kind counts."""
    name, detail = as_text(part.get("filename")), as_text(part.get("detail"))
    mime, data, url = "", "", ""
    split = split_data_uri(place) if place.startswith("data:") else None
    if split is not None:
        mime, data = split
    elif "file_data" in part and place and place == part.get("file_data"):
        mime, data = mime_of(name) or "application/octet-stream", place
    else:
        url = place
    kind = kind_of(mime or family or mime_of(name))
    file_id = as_text(part.get("file_id"))
    block = Media(kind, mime, data, url, file_id, name=name, detail=detail, cache=_cache(part))
    if kind not in ("image", "file"):  # a sound in an image's clothes: the upstream gets it as it came
        return with_options(block, {"raw": dict(part)})
    return with_options(block, _rest(part, _MEDIA_FIELDS))


def _rest(part: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    rest = {name: value for name, value in part.items() if name not in known and value is not None}
    return {"part": rest} if rest else {}
