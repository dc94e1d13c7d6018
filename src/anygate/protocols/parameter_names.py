"""What each protocol calls the things of a canonical chat, so that an error names the field that the client wrote."""

from collections.abc import Mapping

_NAMES: Mapping[str, Mapping[str, str]] = {
    "openai.chat": {
        "system": "messages",
        "turns": "messages",
        "media": "messages",
        "output_limit": "max_completion_tokens",
        "parallel_tools": "parallel_tool_calls",
        "choices": "n",
        "format": "response_format",
        "reasoning": "reasoning_effort",
        "speech": "audio",
        "image": "image_config",
        "cache_key": "prompt_cache_key",
        "cache": "prompt_cache_breakpoint",
    },
    "openai.responses": {
        "system": "instructions",
        "turns": "input",
        "media": "input",
        "output_limit": "max_output_tokens",
        "parallel_tools": "parallel_tool_calls",
        "choices": "n",
        "format": "text.format",
        "logprobs": "top_logprobs",
        "verbosity": "text.verbosity",
        "speech": "audio",
        "cache_key": "prompt_cache_key",
        "cache": "prompt_cache_breakpoint",
    },
    "anthropic.messages": {
        "turns": "messages",
        "media": "messages",
        "output_limit": "max_tokens",
        "parallel_tools": "tool_choice.disable_parallel_tool_use",
        "stop": "stop_sequences",
        "format": "output_config.format",
        "reasoning": "thinking",
        "user": "metadata.user_id",
        "cache": "cache_control",
    },
    "google.gemini": {
        "system": "systemInstruction",
        "turns": "contents",
        "media": "contents",
        "tool_choice": "toolConfig",
        "output_limit": "generationConfig.maxOutputTokens",
        "stop": "generationConfig.stopSequences",
        "choices": "generationConfig.candidateCount",
        "temperature": "generationConfig.temperature",
        "top_p": "generationConfig.topP",
        "top_k": "generationConfig.topK",
        "seed": "generationConfig.seed",
        "presence_penalty": "generationConfig.presencePenalty",
        "frequency_penalty": "generationConfig.frequencyPenalty",
        "logprobs": "generationConfig.responseLogprobs",
        "format": "generationConfig.responseSchema",
        "reasoning": "generationConfig.thinkingConfig",
        "modalities": "generationConfig.responseModalities",
        "speech": "generationConfig.speechConfig",
        "image": "generationConfig.imageConfig",
        "metadata": "labels",
        "cache": "cachedContent",
    },
}


def client_name(protocol: str, name: str) -> str:
    """The field of the client's protocol for an attribute of `Chat` or `Sampling`; the attribute's own name by default."""
    return _NAMES.get(protocol, {}).get(name, name)
