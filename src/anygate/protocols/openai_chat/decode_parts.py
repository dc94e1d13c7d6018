"""Content parts of a Chat Completions request -> canonical blocks.

Sources: https://platform.openai.com/docs/api-reference/chat/create; `document_url` https://docs.mistral.ai/capabilities/vision,
`video_url` https://openrouter.ai/docs/features/multimodal, `cache_control`
https://openrouter.ai/docs/features/prompt-caching (2026-11-22).
"""

from typing import Any, cast

from anygate.canonical.blocks import CacheMark, Media, Modality, NativeBlock, Refusal, Text, Thinking
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.json_values import Object, as_objects, as_text
from anygate.protocols.media_type import kind_of, mime_of, split_data_uri
from anygate.protocols.openai_chat.dialect import NAME

Part = Text | Media | Thinking | Refusal | NativeBlock
_URL_PARTS: dict[str, Modality] = {
    "image_url": "image",
    "video_url": "video",
    "document_url": "file",
    "audio_url": "audio",
}
_CARRIED = {
    "text": {"type", "text", "cache_control", "prompt_cache_breakpoint"},
    "input_audio": {"type", "input_audio", "cache_control", "prompt_cache_breakpoint"},
    "file": {"type", "file", "cache_control", "prompt_cache_breakpoint"},
}
_INSIDE = {"input_audio": {"data", "format"}, "file": {"filename", "file_data", "file_id"}}


def decode_content(content: Any, param: str) -> tuple[Part, ...]:
    """`content` of a message: a string, null or a list of parts. Empty text is no block.

    Raises:
        InvalidRequest: it is neither, or a part has no readable shape.
    """
    if content is None or content == "":
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        raise InvalidRequest(f"`{param}` must be a string or a list of parts", param=param)
    return tuple(_part(part, f"{param}[{index}]") for index, part in enumerate(cast("list[Any]", content)))


def cache_mark(holder: Object) -> CacheMark | None:
    """`cache_control` {type: "ephemeral", ttl} or OpenAI's `prompt_cache_breakpoint` of a part, message or tool."""
    mark = holder.get("cache_control")
    if isinstance(mark, dict):
        return CacheMark(as_text(cast("Object", mark).get("ttl")))
    return CacheMark() if isinstance(holder.get("prompt_cache_breakpoint"), dict) else None


def _part(part: Any, param: str) -> Part:
    if isinstance(part, str):
        return Text(part)
    if not isinstance(part, dict):
        raise InvalidRequest(f"`{param}` must be an object", param=param)
    part = cast("Object", part)
    kind = part.get("type")
    match kind:
        case "text" | "input_text" | "output_text" if isinstance(part.get("text"), str):
            return Text(part["text"], cache=cache_mark(part))
        case "refusal" if isinstance(part.get("refusal"), str):
            return Refusal(part["refusal"])
        case "thinking" if isinstance(part.get("thinking"), list | str):
            return Thinking(thinking_text(part["thinking"]))
        case "input_audio":
            return _audio(part, param)
        case "file":
            return _file(part, param)
        case "image_url" | "video_url" | "document_url" | "audio_url":
            return _by_url(part, kind, param)
        case str() if kind not in ("text", "refusal", "thinking"):
            return NativeBlock(NAME, part)
        case _:
            raise InvalidRequest(f"`{param}` is no content part", param=param)


def thinking_text(value: Any) -> str:
    """Mistral's `thinking`: a text, or a list of text parts."""
    if isinstance(value, str):
        return value
    return "".join(as_text(piece.get("text")) for piece in as_objects(value))


def _by_url(part: Object, field: str, param: str) -> Media:
    """A part that names a URL: as an object {url, detail} or as a string."""
    given = part.get(field)
    if isinstance(given, str):
        given = cast("Object", {"url": given})
    if not isinstance(given, dict) or not isinstance(cast("Object", given).get("url"), str):
        raise InvalidRequest(f"`{param}.{field}.url` must be a URL", param=f"{param}.{field}.url")
    given = cast("Object", given)
    url: str = given["url"]
    inline = split_data_uri(url)
    mime = inline[0] if inline else mime_of(url)
    kind: Modality = (
        kind_of(mime)
        if mime and (inline or mime.startswith(("audio/", "video/", "application/pdf")))
        else _URL_PARTS[field]
    )
    usual = "file" if kind == "file" else "input_audio" if kind == "audio" else f"{kind}_url"
    options: Object = {}
    if field != usual:
        options["type"] = field
    if isinstance(part.get(field), str):
        options["plain"] = True
    _keep_unknown(
        options, part, {"type", field, "cache_control", "prompt_cache_breakpoint", "text"}, given, {"url", "detail"}
    )
    return Media(
        kind,
        mime if inline else "",
        inline[1] if inline else "",
        "" if inline else url,
        detail=as_text(given.get("detail")),
        cache=cache_mark(part),
        options={NAME: options} if options else {},
    )


def _audio(part: Object, param: str) -> Media:
    """{input_audio: {data: base64, format: "wav" | "mp3"}}."""
    given = part.get("input_audio")
    if not isinstance(given, dict) or not isinstance(cast("Object", given).get("data"), str):
        raise InvalidRequest(f"`{param}.input_audio.data` must be base64", param=f"{param}.input_audio.data")
    given = cast("Object", given)
    data: str = given["data"]
    form = as_text(given.get("format"))
    inline = split_data_uri(data)
    options: Object = {"format": form} if form not in ("wav", "mp3") else {}
    _keep_unknown(options, part, _CARRIED["input_audio"], given, _INSIDE["input_audio"])
    mime = mime_of(form) if form else (inline[0] if inline else "")
    return Media(
        "audio", mime, inline[1] if inline else data, cache=cache_mark(part), options={NAME: options} if options else {}
    )


def _file(part: Object, param: str) -> Media:
    """{file: {filename, file_data | file_id}}; `file_data` is a data URI, bare base64, or a URL (OpenRouter)."""
    given = part.get("file")
    if not isinstance(given, dict):
        raise InvalidRequest(f"`{param}.file` must be an object", param=param)
    given = cast("Object", given)
    name, file_id, data = (as_text(given.get(field)) for field in ("filename", "file_id", "file_data"))
    if not data and not file_id:
        raise InvalidRequest(f"`{param}.file` needs `file_data` or `file_id`", param=param)
    options: Object = {}
    _keep_unknown(options, part, _CARRIED["file"], given, _INSIDE["file"])
    inline = split_data_uri(data)
    url = data if "://" in data[:16] and not inline else ""
    mime = inline[0] if inline else mime_of(name)
    kind = kind_of(mime)
    if kind != "file":
        options["type"] = "file"
    if data and not inline and not url:
        options["bare"] = True
    return Media(
        kind,
        mime,
        inline[1] if inline else ("" if url else data),
        url,
        file_id,
        name=name,
        cache=cache_mark(part),
        options={NAME: options} if options else {},
    )


def _keep_unknown(options: Object, part: Object, known: set[str], given: Object, inside: set[str]) -> None:
    """Members of a part that have no canonical word go back only where they came from."""
    outer = {name: value for name, value in part.items() if name not in known and value is not None}
    inner = {name: value for name, value in given.items() if name not in inside and value is not None}
    if outer:
        options["outer"] = outer
    if inner:
        options["inner"] = inner
