"""Who serves it: the candidates are tried in turn until one's answer may go to the client."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

from anygate.canonical.errors import (
    ClientGoneError,
    GatewayError,
    InvalidRequest,
    ShuttingDown,
    UpstreamError,
    UpstreamRefusedKey,
)
from anygate.edge.exchange import RelayExchange
from anygate.ledger.types import Granted, Refused
from anygate.observe.record import Attempt
from anygate.protocols.chat_codec import ChatState
from anygate.relay.asked import Asked
from anygate.relay.choosing import choose
from anygate.relay.flow import Flow
from anygate.relay.guard import awaited, guarded
from anygate.relay.history import keep_answer
from anygate.relay.judging import judge_attempt
from anygate.relay.pins import pin
from anygate.relay.prepared import Prepared
from anygate.relay.sending import prepare, sign, write_anew
from anygate.routing.directory import Candidate
from anygate.routing.failover import REFUSED_KEY, operators_fault

LIMITED_OPERATIONS = frozenset({"chat", "completions"})
"""Those whose requests take an output limit."""

SILENT_OPERATIONS = frozenset({"embed", "embed.batch"})
"""Those that write no text: only their input is paid."""

Elsewhere = Callable[[RelayExchange], Awaitable[RelayExchange]]
"""Answers the client at once, and gives the exchange to make the answer for."""


@dataclass(slots=True, eq=False)
class Attempts(Asked):
    """A request from the grant of its hold until an answer goes to the client; from then on the flow has it.

    Nothing here waits: the ledger calls `granted`, the flow `told`. Only what must be written anew or signed takes a
    coroutine. Whatever happens, the flow closes the hold.
    """

    elsewhere: Elsewhere | None
    _flow: Flow = field(init=False)  # once the hold is granted
    _candidate: Candidate = field(init=False)
    _candidates: Iterator[Candidate] = field(init=False)
    _conversation: bytes | None = field(default=None, init=False)
    _limit: int | None = field(default=None, init=False)
    _failure: GatewayError | None = field(default=None, init=False)
    _held_answer: bool = field(default=False, init=False)  # the last candidate answered, though not well
    _reason: str = field(default="", init=False)  # why the next one is asked
    _waited: float = field(default=0.0, init=False)  # seconds, for upstreams

    def granted(self, outcome: Granted | Refused | GatewayError) -> None:
        """The ledger's answer to the bill's hold."""
        self.gateway.asking -= 1
        guarded(self._failed, self._take_grant, outcome)

    def _take_grant(self, outcome: Granted | Refused | GatewayError) -> None:
        gateway, exchange, record, bill = self.gateway, self.exchange, self.record, self.bill
        bill.granted(outcome)
        if exchange.disconnected:
            record.status, record.error = 499, ClientGoneError.code
            bill.refund(gateway.finished)
        elif self.elsewhere is not None:
            self._go_on_later(self._move(self.elsewhere))
        else:
            self._begin()

    def _go_on_later(self, rest: Coroutine[Any, Any, None]) -> None:
        self.gateway.spawn(awaited(self._failed, rest))

    async def _move(self, elsewhere: Elsewhere) -> None:
        self.exchange = await elsewhere(self.exchange)
        self._begin()

    def _begin(self) -> None:
        gateway, exchange, request = self.gateway, self.exchange, self.request
        limit = self._limit = self._output_limit()
        limited = limit is not None or request.limit is not None
        self._flow = flow = Flow(self, limited, exchange.route.operation in SILENT_OPERATIONS, self.told)
        if gateway.closing:  # the hold was under way when the last flows were ended
            flow.refuse(ShuttingDown())
            return
        self._conversation, candidates, self._reason = choose(self)
        self._candidates = iter(candidates)
        self._try_next()

    def _output_limit(self) -> int | None:
        """The limit to write into the request: when less is paid than asked for, and for plain requests that name none."""
        request, bill = self.request, self.bill
        if bill.price.free or self.exchange.route.operation not in LIMITED_OPERATIONS:
            return None
        if bill.partial or not (request.limit_fields or request.stream):
            return max(bill.paid_output // request.choices, 1)
        return None

    def _try_next(self) -> None:
        """Send the request to the next candidate; with none left, give up."""
        for chosen in self._candidates:
            candidate = self._candidate = (
                chosen if chosen.line.instead is None else chosen.serving(self.request.document)
            )
            channel = candidate.line.channel.name
            self.record.attempts.append(Attempt(channel, 0, self._reason, candidate.credential.id))
            try:
                prepared = prepare(self, candidate, self._limit)
            except GatewayError as error:
                if self._goes_on_after(error):
                    continue
                break
            if prepared is None or prepared.target.auth is not None:
                self._go_on_later(self._send_later(candidate, prepared))
            else:
                self._send(candidate, prepared)
            return
        self._give_up()

    def _send(self, candidate: Candidate, prepared: Prepared) -> None:
        gateway = self.gateway
        gateway.breakers.trying(candidate.key, gateway.loop.time())
        self._flow.attempt(candidate, gateway.upstream, prepared)

    async def _send_later(self, candidate: Candidate, prepared: Prepared | None) -> None:
        """What could not be sent at once: written anew first, or signed first."""
        failure: GatewayError | None = None
        try:
            if prepared is None:
                prepared = await write_anew(self, candidate, self._limit)
            await sign(self, candidate, prepared)
        except GatewayError as error:
            failure = error
        if self._flow.is_over:  # the process ends
            return
        if self.exchange.disconnected:
            failure = ClientGoneError()
        if failure is not None or prepared is None:
            self.told(failure, 0.0)
        else:
            self._send(candidate, prepared)

    def told(self, error: GatewayError | None, seconds: float) -> None:
        """What came of the attempt: an error, or an answer that may be judged, after so many seconds."""
        guarded(self._failed, self._judge, error, seconds)

    def _judge(self, error: GatewayError | None, seconds: float) -> None:
        record, flow, gateway, candidate = self.record, self._flow, self.gateway, self._candidate
        self._waited += seconds
        record.attempts[-1].milliseconds = int(seconds * 1000)
        if isinstance(error, ClientGoneError):
            record.status = 499
            flow.refuse(error)
            return
        error, verdict = judge_attempt(flow, error)
        if verdict == "next":
            goes_on = self._goes_on_after(error)
            if self.exchange.disconnected:  # the upstream was read on for its usage; another's answer nobody would read
                record.status = 499
                flow.refuse(ClientGoneError())
            elif goes_on:
                self._try_next()
            else:
                self._give_up()
            return
        now = gateway.loop.time()
        gateway.breakers.succeeded(candidate.key, now)  # by a refusal of the request itself, too
        line = candidate.line
        record.channel, record.provider, record.upstream_model = line.channel.name, line.provider.slug, line.model
        headers = gateway.own_headers(self.exchange, record, self._waited)
        if verdict == "pass":
            flow.pass_refusal(headers)
            return
        if self._conversation is not None:
            gateway.affinity.remember(self._conversation, candidate.place, now)
        if self.codec.state is not None:
            self._keep_made(self.codec.state)
        flow.relay(headers)

    def _keep_made(self, state: ChatState) -> None:
        """An answer with an id may be continued: by its upstream, so the id is pinned to this channel and key, or by us."""
        keeper, user_id, document = self.gateway.keeper, self.token.user_id, self.request.document
        flow, place = self._flow, self._candidate.place
        if self._candidate.line.native:
            name = state.made_id(flow.body)
            if name:
                pin(keeper, user_id, name, place)
                flow.on_used = lambda usage: pin(keeper, user_id, name, place, usage.total_tokens)
        elif state.wants_keeping(document):
            flow.on_answer = lambda answer: keep_answer(keeper, user_id, document, answer)

    def _goes_on_after(self, error: GatewayError | None) -> bool:
        """The attempt failed: with an error, or with an answer that another channel may do better. Shall one be asked?"""
        gateway, record, candidate = self.gateway, self.record, self._candidate
        if error is None or isinstance(error, UpstreamError):  # not: it could not even be written for this one
            gateway.breakers.failed(candidate.key, gateway.loop.time())
        if self._conversation is not None:
            gateway.affinity.forget(self._conversation)
        failure = self._failure = error or UpstreamError()
        self._held_answer = error is None
        came_of_it = self._flow.status if error is None else failure.code
        record.attempts[-1].reason += f"; {came_of_it}"
        record.warnings = ""  # they were of this attempt
        self._reason = f"failover: {came_of_it}"
        return failure.failover

    def _give_up(self) -> None:
        """Every candidate failed: the last upstream's answer passes as it came, unless it concerns the operator's key."""
        record, flow, exchange = self.record, self._flow, self.exchange
        headers = self.gateway.own_headers(exchange, record, self._waited)
        if not record.attempts:
            flow.refuse(InvalidRequest("What the request names lies with a provider that does not serve this model"))
            return
        record.channel = record.attempts[-1].channel
        if not self._held_answer:
            flow.refuse(self._failure or UpstreamError())
        elif flow.status in REFUSED_KEY or (flow.status == 400 and operators_fault(flow.refusal())):
            flow.refuse(UpstreamRefusedKey())
        elif flow.is_sse:
            flow.refuse(UpstreamError("The upstream's stream began with an error"))
        else:
            flow.pass_refusal(headers)

    def _failed(self, error: Exception) -> None:
        """A refusal of ours, or a defect: it costs this request, and the money goes back."""
        gateway, record = self.gateway, self.record
        refusal = gateway.refusal(record, error)
        flow: Flow | None = getattr(self, "_flow", None)
        if flow is not None:
            flow.refuse(refusal)
        elif self.bill.is_open:
            gateway.tell(self.exchange, record, refusal)
            self.bill.refund(gateway.finished)
        else:
            gateway.refuse(self.exchange, refusal, record)
