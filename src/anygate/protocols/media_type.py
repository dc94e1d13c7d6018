"""What a piece of media is: by data URI, by its first bytes, by its name."""

import base64
import binascii
import re
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from anygate.canonical.blocks import Modality

_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.IGNORECASE)
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_FTYP = {b"M4A ": "audio/mp4", b"M4B ": "audio/mp4", b"qt  ": "video/quicktime"}
_HEIF = {b"heic": "image/heic", b"heix": "image/heic", b"mif1": "image/heif", b"avif": "image/avif"}
_AIFF = (b"AIFF", b"AIFC")
_EXTENSIONS = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/aiff": "aiff",
    "audio/opus": "opus",
    "audio/l16": "pcm16",
    "audio/webm": "weba",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tiff",
    "image/webp": "webp",
    "video/3gpp": "3gp",
    "video/mp4": "mp4",
    "video/mpeg": "mpeg",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/x-matroska": "mkv",
    "video/x-ms-wmv": "wmv",
    "video/x-msvideo": "avi",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "html",
    "text/javascript": "js",
    "text/markdown": "md",
    "text/plain": "txt",
    "text/x-python": "py",
    "text/xml": "xml",
    "application/json": "json",
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/zip": "zip",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
}
"""Our own table: what the system's says differs from machine to machine, and reading it is I/O."""

_ALIASES = {
    "audio/mp3": "mp3",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/x-m4a": "m4a",
    "audio/m4a": "m4a",
    "audio/x-flac": "flac",
    "audio/x-aiff": "aiff",
    "audio/pcm": "pcm16",
    "image/jpg": "jpg",
    "application/xml": "xml",
    "application/javascript": "js",
    "application/x-pdf": "pdf",
    "video/avi": "avi",
    "video/mov": "mov",
    "video/wmv": "wmv",
    "video/mpg": "mpeg",
}
_MIMES = {extension: mime for mime, extension in _EXTENSIONS.items()} | {
    "pcm": "audio/l16",
    "jpeg": "image/jpeg",
    "jpe": "image/jpeg",
    "tif": "image/tiff",
    "mpga": "audio/mpeg",
    "mpg": "video/mpeg",
    "oga": "audio/ogg",
    "aif": "audio/aiff",
    "m4b": "audio/mp4",
    "m4v": "video/mp4",
    "htm": "text/html",
    "mjs": "text/javascript",
    "markdown": "text/markdown",
    "log": "text/plain",
    "text": "text/plain",
}


def split_data_uri(url: str) -> tuple[str, str] | None:
    """(mime, standard base64) of a `data:` URI; None for any other URL."""
    found = _DATA_URI.match(url)
    if found is None:
        return None
    mime, data = (found[1] or "text/plain").lower(), url[found.end() :]
    if found[3]:
        return mime, unquote(data) if "%" in data else data
    return mime, base64.b64encode(unquote_to_bytes(data)).decode()


def data_uri(mime: str, data: str) -> str:
    """Base64 data as a URL."""
    return f"data:{mime or 'application/octet-stream'};base64,{data}"


def sniff(data: str) -> str:
    """The MIME type that the first bytes of base64 `data` tell; "" where they tell nothing."""
    start = data[:64]
    try:
        head = base64.b64decode(start[: len(start) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return ""
    return sniff_bytes(head)


def sniff_bytes(head: bytes) -> str:
    """As `sniff`, of the bytes themselves (the first 48 suffice)."""
    for magic, mime in _MAGIC:
        if head.startswith(magic):
            return mime
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], "")
    if head.startswith(b"FORM"):
        return "audio/aiff" if head[8:12] in _AIFF else ""
    if head.startswith(b"ID3") and head[3:4] < b"\x10":  # a version; in a text a letter follows
        return "audio/mpeg" if len(head) > 3 else ""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return _HEIF.get(brand) or _FTYP.get(brand, "video/mp4")
    return _mpeg_frame(head)


def _mpeg_frame(head: bytes) -> str:
    """Sound that begins with a frame of MPEG audio, or ADTS; FF FE is no such frame but begins UTF-16 text."""
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return ""
    layer = head[1] & 0x06  # 0 is reserved in MPEG audio and always so in ADTS, 2 is layer III, 4 is layer II
    if layer == 0:
        return "audio/aac" if head[1] & 0xF0 == 0xF0 else ""
    return "audio/mpeg" if layer in (2, 4) else ""


def kind_of(mime: str) -> Modality:
    """The kind of media; everything that is no image, sound or film is a file."""
    family = mime.partition("/")[0].lower()
    if family == "image":
        return "image"
    if family == "audio":
        return "audio"
    return "video" if family == "video" else "file"


def mime_of(name: str) -> str:
    """The MIME type of a file name, URL or bare extension ("mp3"); "" where it tells nothing."""
    path = name
    if "://" in name:
        try:
            path = urlsplit(name).path
        except ValueError:
            return ""
    return _MIMES.get(path.rpartition(".")[2].lower(), "")


def extension_of(mime: str) -> str:
    """The usual extension, without a dot; "" for an unknown type."""
    plain = mime.partition(";")[0].strip().lower()
    return _EXTENSIONS.get(plain) or _ALIASES.get(plain, "")
