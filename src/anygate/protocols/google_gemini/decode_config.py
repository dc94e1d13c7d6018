"""`generationConfig` -> limits, sampling, format, thinking and modalities.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerationConfig (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from anygate.canonical.blocks import Json
from anygate.canonical.chat import Effort, Format, Reasoning, Sampling, Speech
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.google_gemini.names import PROTOCOL_NAME
from anygate.protocols.google_gemini.schemas import to_json_schema
from anygate.protocols.google_gemini.wire import Message, message, number, text_of, texts, truth, whole

PLACE = "generationConfig"
_LEVELS: Mapping[str, Effort] = {"MINIMAL": "minimal", "LOW": "low", "MEDIUM": "medium", "HIGH": "high"}
_READ = frozenset(
    [
        "maxOutputTokens",
        "temperature",
        "topP",
        "topK",
        "stopSequences",
        "candidateCount",
        "seed",
        "presencePenalty",
        "frequencyPenalty",
        "responseLogprobs",
        "logprobs",
        "responseMimeType",
        "responseSchema",
        "responseJsonSchema",
        "responseModalities",
        "speechConfig",
        "imageConfig",
        "thinkingConfig",
    ]
)
_PLAIN_MIMES = ("", "text/plain")


class Config(NamedTuple):
    """What the configuration says; `extras` holds what we have no words for, by path."""

    limit: int | None
    stop: tuple[str, ...]
    sampling: Sampling
    format: Format | None
    reasoning: Reasoning | None
    modalities: tuple[str, ...]
    speech: Speech | None
    image: Json
    extras: dict[str, Any]


def decode_config(given: Any) -> Config:
    """The configuration.

    Raises:
        InvalidRequest: a field has a wrong type.
    """
    config = message(given, PLACE)
    extras = {f"{PLACE}.{name}": value for name, value in config.items() if name not in _READ}
    image = config.get("imageConfig", {})
    return Config(
        limit=whole(config, "maxOutputTokens", PLACE) or None,
        stop=texts(config, "stopSequences", PLACE),
        sampling=_sampling(config),
        format=_format(config, extras),
        reasoning=_reasoning(config["thinkingConfig"], extras) if "thinkingConfig" in config else None,
        modalities=tuple(name.lower() for name in texts(config, "responseModalities", PLACE)),
        speech=_speech(config["speechConfig"]) if "speechConfig" in config else None,
        image=message(image, f"{PLACE}.imageConfig"),
        extras=extras,
    )


def _sampling(config: Message) -> Sampling:
    return Sampling(
        temperature=number(config, "temperature", PLACE),
        top_p=number(config, "topP", PLACE),
        top_k=whole(config, "topK", PLACE),
        seed=whole(config, "seed", PLACE),
        presence_penalty=number(config, "presencePenalty", PLACE),
        frequency_penalty=number(config, "frequencyPenalty", PLACE),
        logprobs=truth(config, "responseLogprobs", PLACE) is True,
        top_logprobs=whole(config, "logprobs", PLACE),
    )


def _format(config: Message, extras: dict[str, Any]) -> Format | None:
    mime = text_of(config, "responseMimeType", PLACE)
    if mime not in (*_PLAIN_MIMES, "application/json"):
        extras[f"{PLACE}.responseMimeType"] = mime
    for name in ("responseJsonSchema", "responseSchema"):
        schema = config.get(name)
        if schema is not None:
            if not isinstance(schema, dict):
                raise InvalidRequest(f"`{PLACE}.{name}` must be an object", param=f"{PLACE}.{name}")
            schema = cast("dict[str, Any]", schema)
            return Format("schema", schema if name == "responseJsonSchema" else to_json_schema(schema))
    return Format("json") if mime == "application/json" else None


def _reasoning(given: Any, extras: dict[str, Any]) -> Reasoning:
    place = f"{PLACE}.thinkingConfig"
    config = message(given, place)
    budget = whole(config, "thinkingBudget", place)
    level = text_of(config, "thinkingLevel", place).upper()
    if level not in ("", "THINKING_LEVEL_UNSPECIFIED", *_LEVELS):
        raise InvalidRequest(
            f"`{place}.thinkingLevel` must be one of {', '.join(_LEVELS)}", param=f"{place}.thinkingLevel"
        )
    for name in config:
        if name not in ("thinkingBudget", "thinkingLevel", "includeThoughts"):
            extras[f"{place}.{name}"] = config[name]
    effort = _LEVELS.get(level, "")
    enabled = None if budget is None and not effort else budget != 0
    return Reasoning(
        enabled=enabled,
        effort=effort,
        budget=budget if budget is not None and budget > 0 else None,
        adaptive=budget is not None and budget < 0,
        show=truth(config, "includeThoughts", place),
    )


def _speech(given: Any) -> Speech:
    place = f"{PLACE}.speechConfig"
    config = message(given, place)
    voice = config.get("voiceConfig")
    name = ""
    if isinstance(voice, dict):
        built = message(voice, f"{place}.voiceConfig").get("prebuiltVoiceConfig")
        if isinstance(built, dict):
            where = f"{place}.voiceConfig.prebuiltVoiceConfig"
            name = text_of(message(built, where), "voiceName", where)
    return Speech(voice=name, protocol=PROTOCOL_NAME, raw=config)
