"""How much to think -> `thinking` and `output_config.effort`.

Sources: https://platform.claude.com/docs/en/build-with-claude/extended-thinking, .../adaptive-thinking, .../effort (2026-11-22).
"""

from typing import Any

from anygate.canonical.blocks import Thinking, ToolCall, ToolResult
from anygate.canonical.chat import Reasoning
from anygate.protocols.anthropic_messages.draft import Draft
from anygate.protocols.effort import budget_of, effort_of

LEAST_BUDGET = 1024
_ANSWER_SHARE = 5
"""One part in so many of the output limit is kept for the answer when thinking would take all of it."""


def encode_thinking(limit: int, document: dict[str, Any], draft: Draft) -> None:
    """Write it into a document whose messages and tool choice are there already.

    Args:
        limit: `max_tokens`, which thinking shares with the answer.
        document: gets `thinking` and `output_config.effort`.
        draft: of the request.

    Raises:
        UnsupportedContent: the last turn is an assistant's to be continued, which a thinking model does not.
    """
    reasoning = draft.chat.reasoning
    if reasoning is None:
        return
    if draft.own and _is_own(reasoning, draft):
        _encode_own(reasoning, document, draft)
        return
    if reasoning.enabled is False:
        if draft.can.adaptive:  # it may think by default
            document["thinking"] = {"type": "disabled"}
        return
    if reasoning.enabled or reasoning.effort or reasoning.budget or reasoning.adaptive:
        _encode_wanted(reasoning, limit, document, draft)
    elif reasoning.show or reasoning.summary:
        draft.drop("reasoning", "Claude shows thoughts only where an effort or a budget is named")


def _encode_wanted(reasoning: Reasoning, limit: int, document: dict[str, Any], draft: Draft) -> None:
    obstacle = _obstacle(limit, document, draft)
    if obstacle:
        draft.drop("reasoning", obstacle)
        if draft.can.adaptive:
            document["thinking"] = {"type": "disabled"}
        return
    if document["messages"] and document["messages"][-1]["role"] == "assistant":
        raise draft.refuse(
            "turns", "a thinking model cannot continue a last message of the assistant; end with the user's"
        )
    if draft.can.adaptive:
        document["thinking"] = {"type": "adaptive"}
        document["output_config"] = {"effort": _effort(reasoning, draft)}
        if reasoning.show or reasoning.summary:
            document["thinking"]["display"] = "summarized"
    else:
        document["thinking"] = {"type": "enabled", "budget_tokens": _budget(reasoning, limit)}
    if reasoning.show is False:
        document["thinking"]["display"] = "omitted"


def _is_own(reasoning: Reasoning, draft: Draft) -> bool:
    """Did the client say it in this protocol's words? An ending of the model's name says it in others."""
    if not reasoning.enabled or reasoning.adaptive:
        return True
    return reasoning.budget is not None and draft.can.sampling  # the models that refuse sampling refuse a budget


def _encode_own(reasoning: Reasoning, document: dict[str, Any], draft: Draft) -> None:
    if reasoning.effort:
        document["output_config"] = {"effort": reasoning.effort}
    if reasoning.enabled is None:
        return
    kind = "disabled" if not reasoning.enabled else "adaptive" if reasoning.adaptive else "enabled"
    body: dict[str, Any] = {"type": kind}
    if reasoning.budget is not None:
        body["budget_tokens"] = reasoning.budget
    if reasoning.show is not None:
        body["display"] = "summarized" if reasoning.show else "omitted"
    if kind == "enabled" and _loop_without_proof(draft):
        draft.drop("reasoning", "the tool calls of the history have no thoughts that this provider signed")
        return
    document["thinking"] = draft.restore("thinking", body)


def _obstacle(limit: int, document: dict[str, Any], draft: Draft) -> str:
    """Why this request cannot have thinking; "" if it can."""
    if not draft.can.thinking:
        return "the model does not think"
    if document.get("tool_choice", {}).get("type") in ("any", "tool"):
        return "no thinking when a tool must be called"
    if draft.can.adaptive:
        return ""
    if limit <= LEAST_BUDGET:
        return "the output limit leaves no room for thinking"
    if _loop_without_proof(draft):
        return "the tool calls of the history have no thoughts that this provider signed"
    return ""


def _loop_without_proof(draft: Draft) -> bool:
    """Does the request answer tool calls whose turn holds no thoughts that the upstream signed? It would be refused.

    Turns before the last question of the user are not looked at by the provider.
    """
    for turn in reversed(draft.chat.turns):
        if turn.role == "assistant":
            if any(isinstance(block, ToolCall) for block in turn.blocks):
                return not any(isinstance(b, Thinking) and draft.sendable(b.signature) for b in turn.blocks)
        elif turn.role == "user" and not any(isinstance(block, ToolResult) for block in turn.blocks):
            return False
    return False


def _effort(reasoning: Reasoning, draft: Draft) -> str:
    effort = reasoning.effort or (effort_of(reasoning.budget) if reasoning.budget else "medium")
    if effort == "minimal":
        return "low"
    return "high" if effort == "xhigh" and not draft.can.xhigh else effort


def _budget(reasoning: Reasoning, limit: int) -> int:
    wanted = reasoning.budget or budget_of(reasoning.effort)
    room = limit - max(1, min(limit // _ANSWER_SHARE, limit - LEAST_BUDGET))
    return max(LEAST_BUDGET, min(wanted, room))
