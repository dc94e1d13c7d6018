"""The items of an input: is each valid, do calls and outputs belong together, was what is encrypted issued here?

Source: https://platform.openai.com/docs/api-reference/responses/create#responses-create-input,
https://platform.openai.com/docs/guides/reasoning and answers of the real API (2026-11-22).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from anygate.sandbox.json_values import Json, as_list, as_object, is_list
from anygate.sandbox.openai_checks import OBJECT, one_of, typed, wanted
from anygate.sandbox.openai_errors import missing, wrong_type, wrong_value
from anygate.sandbox.refusal import Refused

ROLES: Final = ("assistant", "system", "developer", "user")
PARTS: Final = (
    "input_text", "input_image", "output_text", "refusal", "input_file", "computer_screenshot", "summary_text",
)  # fmt: skip
OTHERS: Final = (
    "file_search_call", "web_search_call", "image_generation_call", "code_interpreter_call", "computer_call",
    "computer_call_output", "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output",
    "apply_patch_call", "apply_patch_call_output", "mcp_call", "mcp_list_tools", "mcp_approval_request",
    "mcp_approval_response", "tool_search_call", "tool_search_output", "additional_tools", "compaction_trigger",
    "x_search_call", "program", "program_output",
)  # fmt: skip
"""Kinds of items that are taken as they are."""

Open = Callable[[str], bytes | None]
"""Encrypted content -> what it holds; None: it was not issued here, or to another account."""


def check_items(items: list[Any], stored: Mapping[str, Json], unseal: Open) -> list[Json]:
    """Check each item of an input, and put stored ones in the place of references.

    Args:
        items: of the input.
        stored: the account's items, by id.
        unseal: opens encrypted content.

    Raises:
        Refused: with OpenAI's status, code and parameter.
    """
    checked: list[Json] = []
    for index, item in enumerate(items):
        place = f"input[{index}]"
        OBJECT(place, item)
        for name in ("type", "id", "call_id", "status"):
            if item.get(name) is not None:
                typed(str, "a string")(f"{place}.{name}", item[name])
        kind = item.get("type") or ("message" if "role" in item else None)
        if kind is None:
            raise missing(f"{place}.type")
        if kind == "item_reference":
            checked.append(_referred(wanted(item, "id", place, str, "a string"), stored))
            continue
        if (check := _KINDS.get(kind)) is not None:
            check(place, item, stored, unseal)
        elif kind not in OTHERS:
            raise wrong_value(f"{place}.type", kind, (*_KINDS, "item_reference", *OTHERS))
        checked.append(item)
    return checked


def _referred(name: str, stored: Mapping[str, Json]) -> Json:
    if name in stored:
        return stored[name]
    message = (
        f"Item with id '{name}' not found. Items are not persisted when `store` is set to false. Try again with `store` "
        "set to true, or remove this item from your input."
    )
    raise Refused(404, None, message, param="input")


def _check_message(place: str, item: Json, _: Mapping[str, Json], __: Open) -> None:
    role = wanted(item, "role", place, str, "a string")
    one_of(*ROLES)(f"{place}.role", role)
    content = item.get("content")
    if content is None:
        raise missing(f"{place}.content")
    if not isinstance(content, str):
        _check_parts(f"{place}.content", content, assistant=role == "assistant")


def _check_parts(place: str, parts: Any, *, assistant: bool) -> None:
    if not is_list(parts):
        raise wrong_type(place, "one of an array of objects or a string", parts)
    for index, part in enumerate(parts):
        where = f"{place}[{index}]"
        OBJECT(where, part)
        kind = wanted(part, "type", where, str, "a string")
        if kind not in PARTS:
            raise wrong_value(f"{where}.type", kind, PARTS)
        if assistant != (kind in ("output_text", "refusal")):
            allowed = ("output_text", "refusal") if assistant else ("input_text", "input_image", "input_file")
            raise wrong_value(where, kind, allowed)
        _check_part(where, kind, part)


def _check_part(where: str, kind: str, part: Json) -> None:
    if kind in ("input_text", "output_text"):
        wanted(part, "text", where, str, "a string")
    elif kind == "refusal":
        wanted(part, "refusal", where, str, "a string")
    elif kind == "input_image":
        _check_image(where, part)
    elif kind == "input_file" and not any(part.get(name) for name in ("file_id", "file_data", "file_url")):
        raise missing(f"{where}.file_id")


def _check_image(where: str, part: Json) -> None:
    url = part.get("image_url")
    if part.get("file_id") and url is None:
        return
    if url is None:
        raise missing(f"{where}.image_url")
    typed(str, "an image URL")(f"{where}.image_url", url)
    if url.startswith("data:"):
        if ";base64," not in url[:200]:
            message = f"Invalid '{where}.image_url'. Expected a base64-encoded data URL with an image MIME type."
            raise Refused(400, "invalid_value", message, param=f"{where}.image_url")
    elif not url.startswith(("http://", "https://")):
        message = f"Invalid '{where}.image_url'. Expected a valid URL, but got a value with an invalid format."
        raise Refused(400, "invalid_value", message, param=f"{where}.image_url")


def _check_call(place: str, item: Json, _: Mapping[str, Json], __: Open) -> None:
    text = "arguments" if item["type"] == "function_call" else "input"
    for name in ("call_id", "name", text):
        wanted(item, name, place, str, "a string")


def _check_output(place: str, item: Json, _: Mapping[str, Json], __: Open) -> None:
    wanted(item, "call_id", place, str, "a string")
    output = item.get("output")
    if output is None:
        raise missing(f"{place}.output")
    if not isinstance(output, str):
        _check_parts(f"{place}.output", output, assistant=False)


def _check_reasoning(place: str, item: Json, stored: Mapping[str, Json], unseal: Open) -> None:
    wanted(item, "summary", place, list, "an array of objects")
    name, sealed = item.get("id"), item.get("encrypted_content")
    if sealed is None:
        name = wanted(item, "id", place, str, "a string")
        if name not in stored:
            _referred(name, stored)
        return
    _check_sealed(str(name), sealed, unseal)
    if name is not None and unseal(sealed) != name.encode():  # without an id it is the one that the content holds
        message = (
            f"The encrypted content for item {name} could not be verified. Reason: Encrypted content item_id did not "
            "match the target item id."
        )
        raise Refused(400, "invalid_encrypted_content", message)


def _check_compaction(place: str, item: Json, _: Mapping[str, Json], unseal: Open) -> None:
    sealed = wanted(item, "encrypted_content", place, str, "a string")
    _check_sealed(str(item.get("id")), sealed, unseal)


def _check_sealed(name: str, sealed: Any, unseal: Open) -> None:
    if not isinstance(sealed, str) or unseal(sealed) is None:
        message = (
            f"The encrypted content for item {name} could not be verified. Reason: Encrypted content could not be "
            "decrypted or parsed."
        )
        raise Refused(400, "invalid_encrypted_content", message)


_KINDS: Final[dict[str, Callable[[str, Json, Mapping[str, Json], Open], None]]] = {
    "message": _check_message,
    "function_call": _check_call,
    "custom_tool_call": _check_call,
    "function_call_output": _check_output,
    "custom_tool_call_output": _check_output,
    "reasoning": _check_reasoning,
    "compaction": _check_compaction,
    "compaction_summary": _check_compaction,
}


def check_context(items: list[Json], reasoned: Mapping[str, str]) -> None:
    """Do the items of a whole conversation belong together?

    Args:
        items: of the conversation, the new ones last.
        reasoned: id of a stored call -> id of the reasoning that it came with.

    Raises:
        Refused: a call without its output, an output without its call, a call without its reasoning.
    """
    called: set[str] = set()
    answered: set[str] = set()
    here = {item.get("id") for item in items}
    for item in items:
        kind, name = item.get("type"), item.get("call_id")
        if kind in ("function_call", "custom_tool_call"):
            called.add(str(name))
            thought = reasoned.get(str(item.get("id")))
            if thought is not None and thought not in here:
                message = (
                    f"Item '{item['id']}' of type '{kind}' was provided without its required 'reasoning' item: "
                    f"'{thought}'."
                )
                raise Refused(400, None, message, param="input")
        elif kind in ("function_call_output", "custom_tool_call_output"):
            if name not in called:
                what = "function call" if kind == "function_call_output" else "custom tool call"
                message = f"No tool call found for {what} output with call_id {name}."
                raise Refused(400, None, message, param="input")
            answered.add(str(name))
    if waiting := sorted(called - answered):
        raise Refused(400, None, f"No tool output found for function call {waiting[0]}.", param="input")


def input_text(item: Json) -> str:
    """All words of a message or an output."""
    content = item.get("content", item.get("output"))
    if isinstance(content, str):
        return content
    parts = [as_object(part) for part in as_list(content)]
    return "\n".join([str(part.get("text") or part.get("refusal") or "") for part in parts]).strip("\n")
