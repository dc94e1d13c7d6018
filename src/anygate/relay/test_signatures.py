"""Signatures that a client's protocol cannot carry: remembered from the answer, back in their places in the next request."""

import asyncio
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from anygate.canonical.blocks import Block, Signature, Text, Thinking, ToolCall, ToolResult
from anygate.canonical.chat import Chat, Turn
from anygate.canonical.chat_events import Answer, Choice, Finished
from anygate.protocols.fold import unfold
from anygate.relay.signatures import SignatureWatch, restore
from anygate.state.keeper import Keeper
from anygate.storage.engine import Database
from anygate.storage.migrate import prepare_schema

ANN, BOB = 1, 2
SIGNED = Signature("sig-1", "anthropic")
AGAIN = Signature("sig-2", "anthropic")
THOUGHT = Thinking("I wonder", SIGNED)
LATER = Thinking("and then", AGAIN)
CALL = ToolCall("toolu_1", "get_weather", '{"city":"Rome"}')
OTHER = ToolCall("toolu_2", "get_time", "{}")
ASKED = (Turn("user", (Text("Weather in Rome?"),)),)
RESULT = Turn("user", (ToolResult("toolu_1", (Text("18C"),)),))


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('kept') / 'a.db'}")
    prepare_schema(database)
    yield database
    database.dispose()


def chat(*turns: Turn) -> Chat:
    return Chat("openai.chat", "m", turns)


def answered(*choices: Sequence[Block]) -> Answer:
    made = [Choice(tuple(blocks), Finished("end", number)) for number, blocks in enumerate(choices)]
    return Answer("1", "m", 0, tuple(made), None)


def round_trip(
    database: Database,
    answer: Answer,
    sent: Sequence[Block],
    *,
    asked: Sequence[Turn] = ASKED,
    again: Sequence[Turn] = ASKED,
    user_id: int = ANN,
    knows_request: bool = True,
) -> tuple[Block, ...]:
    """What goes to the upstream of a turn that the client sends back as `sent`, through another process's keeper."""

    async def scenario() -> Chat:
        one, other = Keeper(database, lambda: 0.0), Keeper(database, lambda: 0.0)
        watch = SignatureWatch(one, ANN, chat(*asked) if knows_request else None)
        for event in unfold(answer):
            watch.see([event])
        watch.done()
        await one.settled()
        return await restore(other, user_id, chat(*again, Turn("assistant", tuple(sent)), RESULT))

    return asyncio.run(scenario()).turns[len(again)].blocks


def signed(call: ToolCall, signature: Signature) -> ToolCall:
    return msgspec.structs.replace(call, signature=signature)


def test_the_thought_comes_back_before_the_call_that_followed_it(database: Database):
    assert round_trip(database, answered([THOUGHT, CALL, OTHER]), [CALL, OTHER]) == (THOUGHT, CALL, OTHER)


def test_the_thought_leads_the_turn_although_a_text_came_between(database: Database):
    answer = answered([THOUGHT, Text("Let me look."), CALL])
    whole = (THOUGHT, Text("Let me look."), CALL)
    assert round_trip(database, answer, whole[1:]) == whole
    assert round_trip(database, answer, [Text("Changed by the client"), CALL]) == (
        THOUGHT,
        Text("Changed by the client"),
        CALL,
    )
    assert round_trip(database, answer, [CALL]) == (THOUGHT, CALL)
    assert round_trip(database, answer, [CALL], knows_request=False) == (THOUGHT, CALL)


def test_thoughts_between_calls_stand_between_them_again(database: Database):
    answer = answered([THOUGHT, CALL, LATER, OTHER])
    assert round_trip(database, answer, [CALL, OTHER]) == (THOUGHT, CALL, LATER, OTHER)
    assert round_trip(database, answer, [OTHER]) == (LATER, OTHER)
    assert round_trip(database, answer, [Text("x"), CALL, Text("y"), OTHER]) == (
        THOUGHT,
        Text("x"),
        CALL,
        Text("y"),
        LATER,
        OTHER,
    )


def test_several_thoughts_and_redacted_ones_keep_their_order(database: Database):
    redacted = Thinking("", AGAIN, redacted=True)
    answer = answered([THOUGHT, redacted, CALL])
    assert round_trip(database, answer, [CALL]) == (THOUGHT, redacted, CALL)


def test_a_calls_own_signature_comes_back_with_it(database: Database):
    mark = Signature("bytes", "gemini")
    answer = answered([Thinking("unsigned"), signed(CALL, mark), OTHER])
    assert round_trip(database, answer, [CALL, OTHER]) == (signed(CALL, mark), OTHER)
    shown = Thinking("unsigned")
    assert round_trip(database, answer, [shown, CALL, OTHER]) == (shown, signed(CALL, mark), OTHER)


def test_of_several_choices_the_one_that_comes_back_counts(database: Database):
    answer = answered([THOUGHT, CALL], [LATER, OTHER])
    assert round_trip(database, answer, [OTHER]) == (LATER, OTHER)
    assert round_trip(database, answer, [CALL]) == (THOUGHT, CALL)


def test_what_the_client_shows_of_the_thoughts_gives_way_to_them(database: Database):
    assert round_trip(database, answered([THOUGHT, CALL]), [Thinking("I wond"), CALL]) == (THOUGHT, CALL)


def test_what_the_client_sends_itself_stays_and_the_rest_is_added(database: Database):
    own = Thinking("I wonder", Signature("the client's", "anthropic"))
    assert round_trip(database, answered([THOUGHT, CALL]), [own, CALL]) == (own, CALL)
    mark = Signature("bytes", "gemini")
    answer = answered([THOUGHT, signed(CALL, mark)])
    assert round_trip(database, answer, [own, CALL]) == (own, signed(CALL, mark))
    kept = signed(CALL, Signature("the client's"))
    assert round_trip(database, answer, [kept]) == (kept,)


def test_a_text_is_known_by_its_words_and_by_what_the_user_had_said(database: Database):
    mark = Signature("bytes", "gemini")
    answer = answered([THOUGHT, Text("Yes.", signature=mark)])
    whole = (THOUGHT, Text("Yes.", signature=mark))
    assert round_trip(database, answer, [Text(" Yes.\n")]) == (THOUGHT, Text(" Yes.\n", signature=mark))
    assert round_trip(database, answer, [Text("Yes.")]) == whole
    elsewhere = (Turn("user", (Text("Another conversation, the same answer"),)),)
    assert round_trip(database, answer, [Text("Yes.")], again=elsewhere) == (Text("Yes."),)
    assert round_trip(database, answer, [Text("No.")]) == (Text("No."),)


def test_texts_that_the_clients_protocol_joins_are_known_together(database: Database):
    answer = answered([THOUGHT, Text("One."), LATER, Text("Two.")])
    assert round_trip(database, answer, [Text("One.Two.")]) == (THOUGHT, Text("One.Two."))


def test_without_the_request_no_text_is_remembered(database: Database):
    answer = answered([THOUGHT, Text("Yes.")])
    assert round_trip(database, answer, [Text("Yes.")], knows_request=False) == (Text("Yes."),)


def test_nothing_reaches_another_user(database: Database):
    assert round_trip(database, answered([THOUGHT, CALL]), [CALL], user_id=BOB) == (CALL,)


def test_an_answer_without_signatures_leaves_nothing(database: Database):
    assert round_trip(database, answered([Thinking("x"), CALL, Text("y")]), [CALL, Text("y")]) == (CALL, Text("y"))
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM kept").scalar_one() == 0


def test_ids_of_any_kind_are_taken(database: Database):
    for name in ("", "\x00", "x" * 10_000, "é"):
        call = ToolCall(name, "f", "{}")
        assert round_trip(database, answered([THOUGHT, call]), [call]) == ((THOUGHT, call) if name else (call,))


def test_a_conversation_without_answers_is_not_looked_up(database: Database):
    async def scenario() -> None:
        first = chat(*ASKED, RESULT)
        assert await restore(Keeper(database, lambda: 0.0), ANN, first) is first

    database.dispose()
    asyncio.run(scenario())


def test_the_signature_behind_a_text_comes_back_behind_it(database: Database):
    behind = Text("", signature=Signature("late", "google"))
    assert round_trip(database, answered([Text("Done."), behind]), [Text("Done.")]) == (Text("Done."), behind)
    assert round_trip(database, answered([Text("So."), CALL, behind]), [Text("So."), CALL]) == (
        Text("So."),
        CALL,
        behind,
    )
    assert round_trip(database, answered([Text("Done."), behind]), [Text("Done."), behind]) == (Text("Done."), behind)
