"""What one request holds and what it pays: from the hold to the close, exactly once."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from anygate.canonical.errors import GatewayError, InsufficientQuota, RateLimited
from anygate.canonical.money import Nanos, usd_text
from anygate.canonical.token import Token
from anygate.canonical.usage import NO_USAGE, Evidence, Usage
from anygate.ledger.types import Budget, Close, Closed, Granted, Hold, NotHeld, Refused, Windows
from anygate.observe.record import Record
from anygate.pricing.model import PricedModel

MINIMUM_OUTPUT = 256
"""With less money than the input and this many output tokens a request is refused, not cut short."""


class _Detail(msgspec.Struct, gc=False):
    """What the ledger's entry says of a close."""

    model: str
    usage: Usage
    evidence: Evidence


_NOTHING = Nanos(0)
_encode_detail = msgspec.json.Encoder().encode


class Journal(Protocol):
    """What the relay asks of the ledger."""

    def ask(self, hold: Hold, done: Callable[[Granted | Refused | GatewayError], None]) -> None:
        """Ask for money; `done` gets the answer, which is durable, later in the event loop."""
        ...

    def reserve(self, hold: Hold) -> "asyncio.Future[Granted | Refused]":
        """The same for who can wait; the future fails with LedgerUnavailable where the ledger cannot be written."""
        ...

    def close(self, close: Close, done: Callable[[Close, Closed | NotHeld], None] | None = None) -> None:
        """End a hold; never awaited."""
        ...


class Bill:
    """The money side of one request.

    Attributes:
        input_tokens: bound of the input.
        output_tokens: bound of the output of all choices that the hold was asked for.
        paid_output: output tokens of all choices that the hold, with its extensions, pays for.
        partial: less than the ceiling was granted: the upstream's limit must be set to what is paid.
    """

    __slots__ = (
        "_audio_in",
        "_audio_out",
        "_finished",
        "_hold",
        "_journal",
        "_steps",
        "held",
        "input_tokens",
        "is_open",
        "output_tokens",
        "paid_output",
        "partial",
        "price",
        "record",
    )

    def __init__(
        self,
        journal: Journal,
        record: Record,
        price: PricedModel,
        input_tokens: int,
        output_tokens: int,
        audio_in: bool,
        audio_out: bool,
    ) -> None:
        self._journal = journal
        self._audio_in = audio_in
        self._audio_out = audio_out
        self._steps = 0
        self._hold: Hold | None = None
        self._finished: Callable[[Record], None] | None = None
        self.record = record
        self.price = price
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.paid_output = 0
        self.held = 0
        self.partial = False
        self.is_open = False

    async def reserve(self, token: Token, now_seconds: float, deadline_ms: int) -> None:
        """Ask for the hold and wait for it.

        Raises:
            InsufficientQuota, RateLimited, LedgerUnavailable: nothing was taken.
        """
        self.granted(await self._journal.reserve(self.hold(token, now_seconds, deadline_ms)))

    def hold(self, token: Token, now_seconds: float, deadline_ms: int) -> Hold:
        """What the ledger is asked for: the ceiling, or what is free of it if that is worth a call; `granted` takes the answer."""
        price, limits = self.price, token.limits
        ceiling, minimum = price.bounds(
            self.input_tokens,
            self.output_tokens,
            min(MINIMUM_OUTPUT, self.output_tokens),
            self._audio_in,
            self._audio_out,
        )
        windows = budget = None
        if limits.rpm or limits.tpm or limits.concurrency:
            windows = Windows(
                token_id=token.id,
                minute=int(now_seconds) // 60,
                rpm=limits.rpm,
                tpm=limits.tpm,
                tokens=self.input_tokens + self.output_tokens if limits.tpm else 0,
                concurrency=limits.concurrency,
            )
        if limits.nanos_per_day and not price.free:
            budget = Budget(token.id, _utc_day(now_seconds), limits.nanos_per_day)
        record = self.record
        hold = self._hold = Hold(
            record.request_id,
            token.id,
            token.user_id,
            token.purses,
            ceiling,
            minimum,
            record.model,
            price.snapshot,
            deadline_ms=deadline_ms,
            budget=budget,
            windows=windows,
        )
        return hold

    def granted(self, outcome: Granted | Refused | GatewayError) -> None:
        """Take the ledger's answer.

        Raises:
            InsufficientQuota, RateLimited, LedgerUnavailable: nothing was taken.
        """
        hold = self._hold
        if hold is None:
            raise RuntimeError("granted before it was asked for")
        if isinstance(outcome, Refused):
            raise _refusal(outcome, hold)
        if isinstance(outcome, GatewayError):
            raise outcome
        self.is_open = True
        self.held = outcome.amount
        self.partial = outcome.amount < hold.ceiling
        self.paid_output = self.output_tokens if not self.partial else self._affordable(outcome.amount)

    async def extend(self, written: int) -> bool:
        """Hold for as much output again as was asked for first, beyond the `written` tokens of a stream that goes on.

        False: there is no more money.
        """
        hold = self._hold
        if hold is None or not self.is_open:
            return False
        more = max(self.output_tokens, MINIMUM_OUTPUT) + max(written - self.paid_output, 0)
        ceiling = self.price.ceiling(0, more, audio_out=self._audio_out)
        minimum = self.price.ceiling(0, MINIMUM_OUTPUT, audio_out=self._audio_out)
        self._steps += 1
        outcome = await self._journal.reserve(
            Hold(
                subject=hold.subject,
                token_id=hold.token_id,
                user_id=hold.user_id,
                purses=hold.purses,
                ceiling=ceiling,
                minimum=minimum,
                model=hold.model,
                price=hold.price,
                step=f"hold-{self._steps + 1}",
                deadline_ms=hold.deadline_ms,
                budget=hold.budget,
            )
        )
        if isinstance(outcome, Refused):
            return False
        self.held += outcome.amount
        self.paid_output = self._affordable(self.held)
        return True

    def settle(self, usage: Usage, evidence: Evidence, finished: Callable[[Record], None], charge: bool = True) -> None:
        """Close the hold at what `usage` costs; nothing used, or not to be charged, is a refund.

        `finished` gets the complete record once the ledger has it.
        """
        self.is_open = False
        self._finished = finished
        record, price = self.record, self.price
        record.usage = usage
        record.evidence = evidence
        cost = price.cost(usage) if charge and usage is not NO_USAGE else _NOTHING
        if cost:
            record.price = price.snapshot_json
        detail = _encode_detail(_Detail(record.model, usage, evidence)).decode()
        hold = self._hold
        tokens = usage.total_tokens if hold is not None and hold.windows is not None else 0
        self._journal.close(
            Close(record.request_id, cost, detail, "settle" if cost else "refund", tokens, False, (), price.snapshot),
            self._closed,
        )

    def _closed(self, _: Close, outcome: Closed | NotHeld) -> None:
        record = self.record
        if isinstance(outcome, Closed):
            record.cost_nanos, record.overrun_nanos = outcome.charged, outcome.overrun
        else:
            record.settled_late = True
        if self._finished is not None:
            self._finished(record)

    def refund(self, finished: Callable[[Record], None]) -> None:
        """Close the hold and charge nothing."""
        self.settle(NO_USAGE, "none", finished)

    def _affordable(self, nanos: int) -> int:
        return max(
            self.price.output_affordable(nanos, self.input_tokens, audio_in=self._audio_in, audio_out=self._audio_out),
            0,
        )


def _refusal(outcome: Refused, hold: Hold) -> InsufficientQuota | RateLimited:
    if outcome.reason == "rpm":
        return _limited("is over its requests per minute", outcome)
    if outcome.reason == "tpm":
        return _limited("is over its tokens per minute", outcome)
    if outcome.reason == "concurrency":
        return _limited("has as many requests running as it may", outcome)
    if outcome.reason == "daily_budget":
        return InsufficientQuota(
            "This key has spent its budget of the day; it begins anew at 00:00 UTC", retry_after=outcome.retry_after
        )
    where = "in the balance" if len(hold.purses) == 1 else "in the balance or the key's own quota"
    return InsufficientQuota(
        f"The request may cost up to {usd_text(hold.ceiling)} USD and needs at least {usd_text(hold.minimum)} USD, but "
        f"{usd_text(outcome.free)} USD is free {where}. Top up, lower the output limit or shorten the input"
    )


def _limited(how: str, outcome: Refused) -> RateLimited:
    seconds = outcome.retry_after or 1
    return RateLimited(f"This key {how}. Try again in {seconds} s, or have its limit raised", retry_after=seconds)


_day_cache: tuple[int, str] = (-1, "")


def _utc_day(seconds: float) -> str:
    global _day_cache
    day = int(seconds) // 86_400
    if _day_cache[0] != day:
        from datetime import UTC, datetime

        _day_cache = (day, datetime.fromtimestamp(seconds, UTC).date().isoformat())
    return _day_cache[1]
