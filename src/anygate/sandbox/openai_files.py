"""OpenAI's files, spoken from the upstream's side: upload, list, retrieve, content, delete.

Source: https://platform.openai.com/docs/api-reference/files and the official OpenAPI document (`OpenAIFile`), which
tests validate every answer against (2026-11-22).
"""

from typing import Final

import orjson

from anygate.sandbox.answer import Answer, Headers
from anygate.sandbox.files_multipart import Part, read_parts
from anygate.sandbox.files_store import File, Files
from anygate.sandbox.json_values import Json
from anygate.sandbox.openai_chat import SPEAKER as CHAT
from anygate.sandbox.openai_checks import number
from anygate.sandbox.openai_errors import missing, wrong_value
from anygate.sandbox.refusal import Refused
from anygate.sandbox.responses_pages import page
from anygate.sandbox.speaker import Ask, Memory

PURPOSES: Final = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_KEPT_BACK: Final = ("assistants", "vision", "user_data")  # purposes whose files are not given out again
_HEADERS: Final[Headers] = (("openai-version", "2020-10-01"), ("openai-processing-ms", "1"))
_JSON: Final[Headers] = (("content-type", "application/json"), *_HEADERS)


class OpenaiFiles:
    """The speaker of `openai.files`: operations `files.create`, `.list`, `.retrieve`, `.content` and `.delete`."""

    def read(self, body: bytes) -> Json:
        """The bytes as they are: only an upload has a body, and its type stands in the headers."""
        return {"body": body}

    def model(self, request: Json) -> str:
        """Files belong to no model."""
        return ""

    def answer(self, ask: Ask) -> Answer:
        """The answer to a request."""
        files, name = Files(ask), ask.values.get("file_id", "")
        match ask.operation:
            case "files.create":
                shown = _create(ask, files)
            case "files.list":
                shown = page(files.listed(ask.query.get("purpose", "")), ask.query, default=10_000, most=10_000)
            case "files.retrieve":
                shown = files.find(name).shown
            case "files.delete":
                files.remove(name)
                shown = {"id": name, "object": "file", "deleted": True}
            case "files.content":
                return _content(files.find(name))
            case operation:
                raise Refused(404, None, f"The sandbox does not know the operation {operation}.")
        return Answer(200, (orjson.dumps(shown),), _JSON)

    def refuse(self, refusal: Refused, memory: Memory) -> Answer:
        """An error, as OpenAI's other APIs show it."""
        return CHAT.refuse(refusal, memory)


SPEAKER = OpenaiFiles()


def _create(ask: Ask, files: Files) -> Json:
    parts = {part.name: part for part in read_parts(ask.headers.get("content-type", ""), ask.request["body"])}
    if "purpose" not in parts:
        raise missing("purpose")
    purpose = parts["purpose"].text
    if purpose not in PURPOSES:
        raise wrong_value("purpose", purpose[:100], PURPOSES)
    upload = parts.get("file")
    if upload is None or not upload.filename:
        raise missing("file")
    if purpose in ("batch", "fine-tune") and not upload.filename.endswith(".jsonl"):
        message = f"Invalid file format for {purpose}. Must be .jsonl"
        raise Refused(400, "invalid_file_format", message, param="file")
    created = int(ask.memory.clock())
    shown: Json = {
        "id": ask.memory.new_id("file-"),
        "object": "file",
        "bytes": len(upload.data),
        "created_at": created,
        "filename": upload.filename,
        "purpose": purpose,
        "status": "processed",
    }
    if (seconds := _life(parts)) is not None:
        shown["expires_at"] = created + seconds
    files.add(File(shown, upload.data))
    return shown


def _life(parts: dict[str, Part]) -> int | None:
    """Seconds that the file is kept; None: for good."""
    anchor, seconds = parts.get("expires_after[anchor]"), parts.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    if anchor is None or anchor.text != "created_at":
        raise wrong_value("expires_after.anchor", anchor.text[:40] if anchor else "", ("created_at",))
    if seconds is None or not seconds.text.isdecimal():
        raise missing("expires_after.seconds")
    number(3600, 2_592_000, whole=True)("expires_after.seconds", int(seconds.text[:12]))
    return int(seconds.text[:12])


def _content(file: File) -> Answer:
    purpose, name = file.shown["purpose"], file.shown["filename"]
    if purpose in _KEPT_BACK:
        raise Refused(400, None, f"Not allowed to download files of purpose: {purpose}")
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode("ascii", errors="replace").decode()
    plain = "".join([letter for letter in quoted if letter.isprintable()])
    headers = (("content-type", "application/octet-stream"), ("content-disposition", f'attachment; filename="{plain}"'))
    return Answer(200, (file.data,), (*headers, *_HEADERS))
