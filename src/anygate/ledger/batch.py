"""What one transaction of the journal writes: pure, and the same for both homes.

A home locks the touched purses, takes the closing holds out of `holds`, hands over what it read as `Facts`,
and writes the `Writes` that come back before it commits.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from anygate.canonical.money import AccountId, Nanos
from anygate.ledger.admission import (
    LARGEST_OVERRUN,
    MINUTE_MS,
    NOTHING,
    Counters,
    admit,
    rpm_key,
    settle,
    tpm_key,
    window_counts,
)
from anygate.ledger.types import Budget, Close, Closed, Granted, Hold, NotHeld, Refused

Outcomes = tuple[list[Granted | Refused], list[Closed | NotHeld]]
"""One outcome for each hold and for each close of a batch, in their order."""

EntryRow = tuple[str, int, str, str, int, int, int, str]
"""subject, account_id, step, kind, token_id, amount, price_id (0: none), detail ("": none): a row of `entries`."""

HeldRow = tuple[str, int, int, int]
"""subject, account_id, token_id, amount: a row of `entries` with step and kind "hold", without price and detail."""

SettledRow = tuple[str, int, int, int, int, str]
"""subject, account_id, token_id, amount, price_id, detail, neither of the two missing: a row of `entries` with step
"close" and kind "settle"."""

HoldRow = tuple[str, str, int, int, int, str, int, int]
"""subject, accounts, amount, token_id, user_id, model, price_id (0: none), deadline_ms: a row of `holds` that counts
for no window and is dispatched at once."""

CountedRow = tuple[str, str, int, int, int, str, int, int, int, int, int, int]
"""A `HoldRow`, and window_minute (-1: none), window_tokens, counted_token (-1: none), dispatched_ms (-1: not yet)."""

OpenHold = tuple[str, tuple[AccountId, ...], int, int, int, int | None, int]
"""A row of `holds` as a close reads it, in the order of CLOSING_COLUMNS, its accounts taken apart."""

CLOSING_COLUMNS = "subject, accounts, amount, token_id, user_id, window_minute, window_tokens"


class PastEntry(NamedTuple):
    """An entry that a closed subject left."""

    account_id: int
    step: str
    kind: str
    amount: int
    detail: str | None


class Facts(msgspec.Struct):
    """What a home read under its locks.

    Attributes:
        balances: every purse that the holds name; the purses of a close too where its cost is beyond its hold.
        prices: price snapshot -> id in `price_snapshots`, of every snapshot that the batch names.
        closing: subject -> the hold that was taken out.
        past: subject -> entries, of the closes that found no hold.
        known: see `admit`.
        overrun: the operator's account, where a close needs it.
        replay: this batch may have been committed before, its answer lost.
    """

    now_ms: int
    balances: dict[AccountId, int]
    prices: Mapping[str, int]
    closing: dict[str, OpenHold] = {}
    counters: Counters | None = None
    budgets: Mapping[Budget, AccountId] | None = None
    open_purses: Mapping[str, tuple[AccountId, ...]] | None = None
    known: Mapping[tuple[str, str], Nanos] | None = None
    past: Mapping[str, list[PastEntry]] | None = None
    overrun: AccountId | None = None
    replay: bool = False


class Writes(msgspec.Struct):
    """The rows of one transaction, and its answer. All rows are written with the batch's time and owner.

    Attributes:
        held_rows: entries of new holds.
        settled_rows: entries of settles on the wallet, most of them.
        entry_rows: all other entries.
        moved: account -> change of its balance, folded.
        spent: account -> what closes charged it.
        hold_rows: new holds, most of them.
        counted_rows: new holds that count for a window or are not dispatched yet.
        opened: subject -> the hold as its close will read it, of `hold_rows`.
        grown: amount, subject: open holds that an extension enlarged.
        windows: key -> change, expires_ms.
        lost: subject, user_id, amount, created_ms.
        late: subject, cost, detail, created_ms.
        refused: subject, step of the holds that were refused.
    """

    holds: list[Granted | Refused] = []
    closes: list[Closed | NotHeld] = []
    held_rows: list[HeldRow] = []
    settled_rows: list[SettledRow] = []
    entry_rows: list[EntryRow] = []
    hold_rows: list[HoldRow] = []
    counted_rows: list[CountedRow] = []
    moved: dict[AccountId, int] = {}
    spent: dict[AccountId, int] = {}
    opened: dict[str, OpenHold] = {}
    grown: list[tuple[int, str]] = []
    windows: dict[str, tuple[int, int]] = {}
    lost: list[tuple[str, int, int, int]] = []
    late: list[tuple[str, int, str, int]] = []
    refused: list[tuple[str, str]] = []

    def account_rows(self) -> list[tuple[int, int, int]]:
        """delta, spent, id of each account that changes, in id order."""
        spent = self.spent
        return [(self.moved[account], spent.get(account, 0), account) for account in sorted(self.moved)]

    def refused_again(self, known: Iterable[tuple[str, str, int]]) -> bool:
        """Whether a refused step is in the ledger already, or granted by this very batch: it is no new ask.

        Its own first grant may have emptied the purse, so that no unique key stops the batch. `known`: see `Facts`.
        """
        steps = {(subject, step) for subject, step, _ in known}
        steps.update([(row[0], "hold") for row in self.held_rows])
        steps.update([(row[0], row[2]) for row in self.entry_rows])
        return any(step in steps for step in self.refused)


class Questions(msgspec.Struct):
    """What a home must read for the holds of a batch, beside the holds that its closes take out.

    Attributes:
        purses: accounts that holds name.
        budgets: budgets whose purse the home finds or makes.
        windows: keys of rate windows.
        counted: tokens whose open holds are counted.
        extended: subjects whose open hold is asked for: of extensions, and of every hold when `careful`.
        careful: look for steps that the ledger holds already (a replay, or a unique key has refused the batch).
    """

    careful: bool
    purses: set[AccountId] = set()
    budgets: list[Budget] = []
    windows: list[str] = []
    counted: list[int] = []
    extended: list[str] = []


def questions_of(holds: Sequence[Hold], *, careful: bool) -> Questions:
    """What there is to read before `write_batch` can decide about `holds`."""
    questions = Questions(careful)
    named = questions.purses
    for hold in holds:
        first = hold.step == "hold"
        if careful or not first:
            questions.extended.append(hold.subject)
        if not first:
            continue
        named.update(hold.purses)
        if hold.budget is not None and hold.budget not in questions.budgets:
            questions.budgets.append(hold.budget)
        windows = hold.windows
        if windows is None:
            continue
        if windows.rpm:
            questions.windows.append(rpm_key(windows))
        if windows.tpm:
            questions.windows.append(tpm_key(windows.token_id, windows.minute))
        if windows.concurrency:
            questions.counted.append(windows.token_id)
    return questions


def open_hold(row: Sequence[Any]) -> OpenHold:
    """What a home read of CLOSING_COLUMNS."""
    return (row[0], purses_of(row[1]), row[2], row[3], row[4], row[5], row[6])


def purses_of(accounts: str) -> tuple[AccountId, ...]:
    """`holds.accounts` -> ids: "12,45" -> (12, 45)."""
    if "," not in accounts:
        return (AccountId(int(accounts)),)
    return tuple(AccountId(int(account)) for account in accounts.split(","))


def storable(text: str) -> str:
    """A client's text as both databases take it: no NUL, no lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "�")


def write_batch(facts: Facts, holds: Sequence[Hold], closes: Sequence[Close]) -> Writes:
    """Decide a batch: first what closes give back, then, in order of arrival, who is paid.

    Uses up `facts.closing` and keeps `facts.balances` current.
    """
    writes = Writes()
    if closes:
        _end(writes, facts, closes)
    if holds:
        _open(writes, facts, holds)
    return writes


def _end(writes: Writes, facts: Facts, closes: Sequence[Close]) -> None:
    moved, spent, prices = writes.moved, writes.spent, facts.prices
    closing, balances = facts.closing, facts.balances
    for close in closes:
        row = closing.pop(close.subject, None)
        if row is None:
            writes.closes.append(_not_held(writes, facts, close))
            continue
        subject, purses, held, token_id, _, minute, _ = row
        cost, price, detail = close.cost, close.price, close.detail
        plain = close.kind == "settle" and not close.lost and price and detail
        if not plain or len(purses) != 1 or minute is not None or not 0 < cost <= held:
            writes.closes.append(_close(writes, facts, close, row))
            continue
        # The usual settle, the same as `_close` at half the price: one purse, paid out of what it held.
        purse, delta = purses[0], held - cost
        writes.settled_rows.append((subject, purse, token_id, delta, prices[price], detail))
        moved[purse] = moved.get(purse, 0) + delta
        spent[purse] = spent.get(purse, 0) + cost
        if purse in balances:
            balances[purse] += delta
        writes.closes.append(Closed(cost))


def _close(writes: Writes, facts: Facts, close: Close, row: OpenHold) -> Closed:
    subject, purses, held, token_id, user_id, minute, tokens = row
    moved, spent, balances, kind = writes.moved, writes.spent, facts.balances, close.kind
    settlement = settle(held, close.cost if close.cost > 0 else NOTHING, purses, balances)
    price, detail = facts.prices[close.price] if close.price else 0, close.detail
    for place, delta in enumerate(settlement.deltas):
        purse = purses[place]
        if place:  # the wallet's entry tells it once
            writes.entry_rows.append((subject, purse, "close", kind, token_id, delta, 0, ""))
        else:
            writes.entry_rows.append((subject, purse, "close", kind, token_id, delta, price, detail))
        moved[purse] = moved.get(purse, 0) + delta
        spent[purse] = spent.get(purse, 0) + held - delta
        if purse in balances:
            balances[purse] += delta
    overrun = settlement.overrun
    if overrun and facts.overrun is not None:
        account = facts.overrun
        writes.entry_rows.append((subject, account, "close", "overrun", token_id, -overrun, price, detail))
        moved[account] = moved.get(account, 0) - overrun
        spent[account] = spent.get(account, 0) + overrun
    if minute is not None and facts.now_ms < (minute + 1) * MINUTE_MS:
        _count(writes, tpm_key(token_id, minute), close.tokens - tokens, minute)
    if close.lost:
        writes.lost.append((subject, user_id, held, facts.now_ms))
    return Closed(settlement.charged, overrun)


def _not_held(writes: Writes, facts: Facts, close: Close) -> Closed | NotHeld:
    past = facts.past.get(close.subject, []) if facts.past is not None else []
    if facts.replay and any(
        entry.step == "close" and entry.kind == close.kind and (entry.detail or "") == close.detail for entry in past
    ):  # this very close was committed; only its answer was lost
        overrun = -sum(entry.amount for entry in past if entry.kind == "overrun")
        return Closed(Nanos(max(close.cost, 0) - overrun), Nanos(overrun))
    settled = any(entry.kind == "settle" for entry in past) or any(
        row[0] == close.subject and row[3] == "settle" for row in writes.entry_rows
    )
    settled = settled or any(row[0] == close.subject for row in writes.settled_rows)
    if close.cost > 0 and not settled:
        writes.late.append((close.subject, min(close.cost, LARGEST_OVERRUN), close.detail, facts.now_ms))
    return NotHeld()


def _open(writes: Writes, facts: Facts, holds: Sequence[Hold]) -> None:
    admission = admit(
        facts.balances,
        holds,
        now_ms=facts.now_ms,
        counters=facts.counters,
        budgets=facts.budgets,
        open_purses=facts.open_purses,
        known=facts.known,
    )
    writes.holds = admission.outcomes
    held, prices = writes.held_rows.append, facts.prices
    outcomes, drawn = admission.outcomes, admission.drawn
    for place, hold in enumerate(holds):  # a strict zip costs half a microsecond to make, often for one hold
        outcome, purses = outcomes[place], drawn[place]
        subject, step = hold.subject, hold.step
        if type(outcome) is not Granted:
            writes.refused.append((subject, step))
            continue
        if not purses:
            continue  # a step that was there before
        amount, token = outcome.amount, hold.token_id
        if step != "hold":
            writes.grown.append((amount, subject))
            for purse in purses:
                writes.entry_rows.append((subject, purse, step, "hold", token, -amount, 0, ""))
            continue
        for purse in purses:
            held((subject, purse, token, -amount))
        model, user = hold.model, hold.user_id
        row: HoldRow = (
            subject,
            str(purses[0]) if len(purses) == 1 else ",".join(map(str, purses)),
            amount,
            token,
            user,
            model if model.isascii() and "\0" not in model else storable(model),
            prices[hold.price] if hold.price else 0,
            hold.deadline_ms,
        )
        if hold.windows is None and hold.dispatched:
            writes.hold_rows.append(row)
            writes.opened[subject] = (subject, purses, amount, token, user, None, 0)
        else:
            _open_counted(writes, facts, hold, row)
    for purse, delta in admission.deltas.items():
        writes.moved[purse] = writes.moved.get(purse, 0) + delta


def _open_counted(writes: Writes, facts: Facts, hold: Hold, row: HoldRow) -> None:
    minute, tokens, counted = -1, 0, -1
    if (windows := hold.windows) is not None:
        if windows.tpm:
            minute, tokens = windows.minute, windows.tokens
        if windows.concurrency:
            counted = hold.token_id
        for key, count in window_counts(windows):
            _count(writes, key, count, windows.minute)
    writes.counted_rows.append((*row, minute, tokens, counted, facts.now_ms if hold.dispatched else -1))


def _count(writes: Writes, key: str, change: int, minute: int) -> None:
    before = writes.windows.get(key)
    writes.windows[key] = (change + (before[0] if before else 0), (minute + 2) * MINUTE_MS)
