"""Canonical turns -> `system` and `messages`.

Sources: https://docs.claude.com/en/api/messages, https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls
(results first), .../build-with-claude/mid-conversation-system-messages (2026-11-22).
"""

from typing import Any

from anygate.canonical.blocks import Text
from anygate.canonical.chat import Turn
from anygate.protocols.anthropic_messages.draft import Draft
from anygate.protocols.anthropic_messages.encode_blocks import encode_block, encode_text

MID_SYSTEM_TRAIT = "system_turns"
"""Trait of providers that take `role: system` among the messages, where the model does: not every cloud can."""

Message = dict[str, Any]


def encode_system(draft: Draft) -> list[dict[str, Any]]:
    """The blocks of `system`; empty ones are left out."""
    found: list[dict[str, Any]] = []
    for number, block in enumerate(draft.chat.system):
        if block.text.strip() or draft.own:
            found.append(draft.restore(f"system.{number}", encode_text(block, draft)))
    return found


def encode_messages(draft: Draft) -> list[Message]:
    """The messages. A client of this protocol gets its own back; others' are brought into the form that is asked for.

    Neighbours of one role are merged, results of tools stand first in their turn, empty text is left out.

    Raises:
        UnsupportedContent: a block has no twin in this protocol, or the last turn is an assistant's and cannot be continued.
    """
    if draft.own:
        return [_own_message(number, turn, draft) for number, turn in enumerate(draft.chat.turns)]
    messages: list[Message] = []
    for turn in draft.chat.turns:
        if turn.name:
            draft.drop("turns", "names of speakers")
        role, content = _encode_turn(turn, messages, draft)
        if not content:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += content
        else:
            messages.append({"role": role, "content": content})
    for message in messages:
        if message["role"] == "user":
            message["content"].sort(key=_after_results)
    if not messages:
        _ask_with_the_instructions(messages, draft)
    if messages and messages[-1]["role"] == "assistant":
        _check_prefill(messages[-1], draft)
    return messages


def _own_message(number: int, turn: Turn, draft: Draft) -> Message:
    content: list[dict[str, Any]] = []
    for place, block in enumerate(turn.blocks):
        path = f"messages.{number}.content.{place}"
        content += [draft.restore(path, body) for body in encode_block(block, draft)]
    return draft.restore(f"messages.{number}", {"role": turn.role, "content": content})


def _encode_turn(turn: Turn, before: list[Message], draft: Draft) -> tuple[str, list[dict[str, Any]]]:
    content = [body for block in turn.blocks for body in encode_block(block, draft)]
    if turn.role != "system":
        return turn.role, content
    after_user = bool(before) and before[-1]["role"] == "user"
    if after_user and draft.can.system_turns and MID_SYSTEM_TRAIT in draft.target.traits:
        return "system", content
    words = "\n\n".join(block.text for block in turn.blocks if isinstance(block, Text) and block.text.strip())
    labelled = {"type": "text", "text": f"<system>\n{words}\n</system>"}
    return "user", [labelled] if words else []


def _after_results(block: dict[str, Any]) -> bool:
    return block["type"] != "tool_result"


def _ask_with_the_instructions(messages: list[Message], draft: Draft) -> None:
    """Instructions alone are no question: the last of them is asked as one."""
    if draft.chat.system:
        last = draft.chat.system[-1]
        messages.append({"role": "user", "content": [encode_text(last, draft)]})


def _check_prefill(message: Message, draft: Draft) -> None:
    """The beginning of the answer: continued by the models that can, if it does not end in white space."""
    if not draft.can.prefill:
        raise draft.refuse("turns", "the model cannot continue a last message of the assistant; end with the user's")
    last = message["content"][-1]
    if last["type"] == "text":
        last["text"] = last["text"].rstrip()
