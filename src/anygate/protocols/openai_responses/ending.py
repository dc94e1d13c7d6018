"""How an answer ends, in Responses' words.

Source: https://platform.openai.com/docs/api-reference/responses/object, `status`, `incomplete_details` and `error`
(2026-11-22).
"""

from typing import Any

from anygate.canonical.chat_events import Failed, Finished

_CODES = frozenset(
    {
        "server_error",
        "rate_limit_exceeded",
        "invalid_prompt",
        "data_residency_mismatch",
        "bio_policy",
        "vector_store_timeout",
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "image_content_policy_violation",
        "invalid_image_mode",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    }
)
_TWINS = {
    "rate_limit_error": "rate_limit_exceeded",
    "RESOURCE_EXHAUSTED": "rate_limit_exceeded",
    "invalid_request_error": "invalid_prompt",
    "INVALID_ARGUMENT": "invalid_prompt",
}


def ending(finished: Finished, *, refused: bool) -> tuple[str, str]:
    """(status, reason why it is incomplete). A model that declines without a refusal in words was filtered."""
    match finished.reason:
        case "length" | "window":
            return "incomplete", "max_output_tokens"
        case "filtered":
            return "incomplete", "content_filter"
        case "refusal" if not refused:
            return "incomplete", "content_filter"
        case _:
            return "completed", ""


def encode_failure(failed: Failed) -> dict[str, Any]:
    """`error` of a failed response; its code is one of the documented ones."""
    code = _TWINS.get(failed.kind, failed.kind)
    return {"code": code if code in _CODES else "server_error", "message": failed.message}
