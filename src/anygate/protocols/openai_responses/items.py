"""What the kinds of items have in common, whichever side they stand on."""

from collections.abc import Mapping
from typing import Any

from anygate.protocols.json_values import as_list, as_object, as_objects, as_text

USER_ITEMS = frozenset(
    {"mcp_approval_response", "additional_tools", "configuration_update", "item_reference", "compaction_trigger"}
)


def spoken_by_user(kind: str) -> bool:
    """Does the client write items of this kind? All others come from the model."""
    return kind in USER_ITEMS or kind.endswith("_output")


def reasoning_text(item: Mapping[str, Any]) -> str:
    """All that a reasoning item lets read: its summaries, then its thoughts."""
    texts = [as_text(part.get("text")) for name in ("summary", "content") for part in as_objects(item.get(name))]
    return "\n\n".join(text for text in texts if text)


def search_query(item: Mapping[str, Any]) -> str:
    """What a `web_search_call` looked for; xAI writes the call's `arguments` in place of `action`."""
    action = as_object(item.get("action"))
    queries = (entry for entry in as_list(action.get("queries")) if isinstance(entry, str))
    return as_text(action.get("query")) or next(queries, "")
