"""Images that a model made, for clients of Chat Completions: `images` beside the text, and Markdown within it.

The protocol has no field of its own for them. `images` [{type: "image_url", image_url: {url}}] is OpenRouter's
(https://openrouter.ai/docs/features/multimodal/image-generation, 2026-11-22); a data URI in Markdown is what most chat
clients show.
"""

from collections.abc import Sequence

from anygate.canonical.blocks import Media
from anygate.protocols.json_values import Object
from anygate.protocols.media_type import data_uri, sniff
from anygate.protocols.openai_chat.decode_messages import image


def image_entry(media: Media) -> Object:
    """An entry of `images`."""
    return {"type": "image_url", "image_url": {"url": image_url(media)}}


def image_url(media: Media) -> str:
    """The image as a URL."""
    return data_uri(media.mime or sniff(media.data) or "image/png", media.data) if media.data else media.url


def markdown(media: Media) -> str:
    """The image within the text."""
    return f"![image]({image_url(media)})"


def without_images(content: object, images: Sequence[Object]) -> object:
    """The text of a message that also lists its images, without their Markdown."""
    if isinstance(content, str):
        for entry in images:
            content = content.replace(markdown(image(entry)), "")
    return content
