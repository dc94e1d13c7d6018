"""Signatures over a model's thoughts and calls, remembered for turns that come back through a protocol without a field for them."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import msgspec

from anygate.canonical.blocks import Block, Signature, Text, Thinking, ToolCall
from anygate.canonical.chat import Chat, Turn
from anygate.canonical.chat_events import BlockStarted, ChatEvent, Signed, TextDelta, ThinkingDelta
from anygate.state.keeper import Keeper

KIND = "signature"
KEPT_SECONDS = 7 * 86_400.0

_Place = tuple[int, int]  # choice, block


class Remembered(msgspec.Struct, array_like=True):
    """What belongs to a tool call or a text: its own signature, and the thinking that came before it in its turn.

    `leading`: with that thinking the turn began. `after`: the signature of an empty text behind it, as Gemini's streams end.
    """

    own: Signature | None
    thinking: list[Thinking]
    leading: bool = False
    after: Signature | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Remembered).decode


class SignatureWatch:
    """Looks at the events of one answer and remembers its signatures.

    Thinking is remembered with the text and the first tool call that follow it, because these are what a client sends
    back whatever its protocol: a call by its id, a text by its content and all that the user had said before. The same
    short answer in another conversation is another text: thoughts never move from one conversation into another.
    """

    def __init__(self, keeper: Keeper, user_id: int, chat: Chat | None = None) -> None:
        """Nothing was seen yet.

        Args:
            keeper: where it is remembered.
            user_id: for whom.
            chat: the request; without it only calls are remembered.
        """
        self._keeper = keeper
        self._user_id = user_id
        self._chat = chat
        self._open: dict[_Place, tuple[BlockStarted, list[str]]] = {}
        self._signed: dict[_Place, Signature] = {}

    def see(self, events: Sequence[ChatEvent]) -> None:
        """Take events as they come."""
        for event in events:
            match event:
                case TextDelta() | ThinkingDelta():  # nearly all
                    held = self._open.get((event.choice, event.block))
                    if held is not None:
                        held[1].append(event.text)
                case BlockStarted() if event.kind in ("thinking", "tool", "text"):
                    self._open[event.choice, event.block] = (event, [])
                case Signed():
                    self._signed[event.choice, event.block] = event.signature
                case _:
                    pass

    def done(self) -> None:
        """The answer is over: keep what was signed."""
        for choice in sorted({choice for choice, _ in self._signed}):
            self._keep_turn([place for place in sorted(self._open) if place[0] == choice])

    def _keep_turn(self, places: Sequence[_Place]) -> None:
        context = _said(self._chat.turns) if self._chat is not None else b""
        thinking: list[Thinking] = []
        leading = True
        texts: list[tuple[str, Remembered]] = []
        calls: list[tuple[str, Remembered]] = []
        last: Remembered | None = None
        for place in places:
            start, pieces = self._open[place]
            signature = self._signed.get(place)
            if start.kind == "thinking":
                if signature is not None:
                    thinking.append(Thinking("".join(pieces), signature, start.redacted, start.id))
                continue
            text = "".join(pieces)
            if start.kind == "text" and not text.strip() and last is not None:
                last.after = signature or last.after
                continue
            found = last = Remembered(signature, list(thinking), leading)
            if start.kind == "text":
                texts.append((text, found))
                continue
            calls.append((_call_key(start.id), found))
            thinking, leading = [], False  # a text may come back changed, or not at all: the call after it knows, too
        for key, found in calls:
            self._keep(key, found)
        if not context:
            return
        for text, found in texts:
            self._keep(_text_key(context, text), found)
        if len(texts) > 1:  # protocols whose turns have one text join them
            joined = msgspec.structs.replace(texts[0][1], after=texts[-1][1].after)
            self._keep(_text_key(context, "".join(text for text, _ in texts)), joined)

    def _keep(self, key: str, found: Remembered) -> None:
        if key and (found.own is not None or found.thinking or found.after is not None):
            self._keeper.keep(self._user_id, KIND, key, _encode(found), KEPT_SECONDS, lasting=True)


async def restore(keeper: Keeper, user_id: int, chat: Chat) -> Chat:
    """The conversation with the signatures that its earlier answers had, where the client did not send them itself.

    Raises:
        LedgerUnavailable: what is kept cannot be read.
    """
    keys = [_keys(turn, context) for turn, context in _with_context(chat.turns)]
    wanted = sorted({key for of_turn in keys for key in of_turn if key})
    if not wanted:
        return chat
    found = await keeper.find_all(user_id, KIND, wanted)
    if not found:
        return chat
    known = {key: _decode(value) for key, value in found.items()}
    turns = tuple(_restored(turn, of_turn, known) for turn, of_turn in zip(chat.turns, keys, strict=True))
    return msgspec.structs.replace(chat, turns=turns)


def _with_context(turns: Sequence[Turn]) -> Iterator[tuple[Turn, bytes]]:
    """Each turn, and what stands for all that the user has said before it."""
    digest = blake2b(digest_size=16)
    for turn in turns:
        yield turn, digest.digest()
        if turn.role == "user":
            for block in turn.blocks:
                if isinstance(block, Text):
                    digest.update(block.text.encode("utf-8", "surrogatepass") + b"\0")


def _said(turns: Sequence[Turn]) -> bytes:
    return list(_with_context([*turns, Turn("assistant", ())]))[-1][1]


def _keys(turn: Turn, context: bytes) -> list[str]:
    """For each block of a turn the name under which something may be remembered; "" for none."""
    if turn.role != "assistant":
        return [""] * len(turn.blocks)
    thoughts_are_here = _has_signed_thinking(turn)
    return [_key(block, context, thoughts_are_here=thoughts_are_here) for block in turn.blocks]


def _key(block: Block, context: bytes, *, thoughts_are_here: bool) -> str:
    if isinstance(block, ToolCall) and block.signature is None:
        return _call_key(block.id)
    if isinstance(block, Text) and block.signature is None and not thoughts_are_here:
        return _text_key(context, block.text)
    return ""


def _has_signed_thinking(turn: Turn) -> bool:
    return any(isinstance(block, Thinking) and block.signature is not None for block in turn.blocks)


def _restored(turn: Turn, keys: Sequence[str], known: dict[str, Remembered]) -> Turn:
    remembered = [(block, known.get(key)) for block, key in zip(turn.blocks, keys, strict=True)]
    if not any(found for _, found in remembered):
        return turn
    thoughts_are_here = _has_signed_thinking(turn)
    thoughts_come = not thoughts_are_here and any(found.thinking for _, found in remembered if found is not None)
    blocks: list[Block] = []
    placed: set[str] = set()
    carried = {_value(block) for block in turn.blocks if isinstance(block, Text)}
    for block, found in remembered:
        if isinstance(block, Thinking) and thoughts_come:
            continue  # what the client shows of the thoughts gives way to the thoughts themselves
        if found is None:
            blocks.append(block)
            continue
        if thoughts_come:
            thoughts = [thought for thought in found.thinking if _value(thought) not in placed]
            at = 0 if found.leading and not placed else len(blocks)
            blocks[at:at] = thoughts
            placed.update(map(_value, thoughts))
        if found.own is not None and isinstance(block, ToolCall | Text):
            block = msgspec.structs.replace(block, signature=found.own)
        blocks.append(block)
        if found.after is not None and found.after.value not in carried:
            blocks.append(Text("", signature=found.after))
    return msgspec.structs.replace(turn, blocks=tuple(blocks))


def _value(block: Thinking | Text) -> str:
    return block.signature.value if block.signature is not None else ""


def _call_key(call_id: str) -> str:
    return f"call:{call_id}" if call_id else ""


def _text_key(context: bytes, text: str) -> str:
    plain = text.strip()
    if not plain:
        return ""
    return f"text:{blake2b(plain.encode('utf-8', 'surrogatepass'), key=context, digest_size=16).hexdigest()}"
