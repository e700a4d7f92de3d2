"""A stream of messages that is kept alive: it chooses the transport, resumes from the last id, waits longer after each failure,
notices silence, and changes its topics. One task reads; whoever iterates gets what it has read from a bounded queue."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import math
import random
from typing import Any, AsyncIterator, Callable, Coroutine, Dict, Iterable, List, Optional, Set, Union

import aiohttp

from .connection import OPEN, Connection, Ended
from .errors import Refused
from .frames import Frame, Gap, Message, Said, Verdict, address, check_topics
from .publish import publish
from .tokens import Holder, Token

log = logging.getLogger("zcast")

Item = Union[Message, Gap]
KINDS = {"auto": ["sse", "ws"], "sse": ["sse"], "ws": ["ws"]}


@dataclasses.dataclass(frozen=True)
class Status:
    """`state`: connecting; open (from here on nothing is missed); stale (the connection stands, and what comes on it is late);
    waiting (between two connections); idle (no topic); refused; closed."""

    state: str
    transport: str  # sse or ws
    attempt: int = 0  # failures in a row
    delay: Optional[float] = None  # waiting: seconds
    error: Optional[Exception] = None  # why the last connection ended, or the stream did


class _End:
    """Stands in the queue behind the last item."""

    def __init__(self, error: Optional[BaseException]) -> None:
        self.error = error


def backoff_delay(failures: int, backoff: float, longest: float, draw: Callable[[], float] = random.random) -> float:
    """Full jitter: a thousand clients that lost the same server come back evenly spread."""
    return draw() * min(longest, backoff * 2.0 ** min(failures, 30))


class Stream:
    """Made by `connect`."""

    def __init__(self, url: str, topics: Iterable[str], settings: Dict[str, Any]) -> None:
        self._url: str = url
        self._topics = check_topics(topics)
        if not self._topics:
            raise ValueError("no topic")
        self._transport = settings["transport"]
        self._paths = {"sse": settings["sse"], "ws": settings["ws"]}
        for kind, path in self._paths.items():
            address(url, path, kind, [])
        self._silence, self._patience = settings["silence"], settings["patience"]
        self._backoff, self._max_backoff = settings["backoff"], settings["max_backoff"]
        self._on_state = settings["on_state"]
        self._given = settings["session"]
        self._headers = dict(settings["headers"] or {})
        self._how = settings["how"]
        self._token_given = settings["token"]
        self._size = settings["queue"]
        self._received: str = settings["since"]  # what the queue has had up to
        self._consumed: str = self._received  # and whoever iterates
        self._kinds = self._kinds_of()
        self._refused: Set[str] = set()  # transports, for good
        self._status = Status("connecting", self._kinds[0])
        self._task: "Optional[asyncio.Task[Any]]" = None
        self._over: Optional[_End] = None
        self._begin()

    def _kinds_of(self) -> List[str]:
        if self._transport not in KINDS:
            raise ValueError(f"transport: {self._transport!r}")
        return list(KINDS[self._transport])

    def _begin(self) -> None:
        """What is known of a connection before it has said anything."""
        self._link: Optional[Connection] = None
        self._asked: List[str] = []
        self._resumes = False  # it came with an id, and has to say how it stands
        self._proven = False  # it has said something
        self._positioned = False  # and where it is
        self._stale = False  # and that its broker doesn't answer
        self._after: Optional[float] = None  # how long the server asked to stay away

    # -- for whoever iterates

    async def __aenter__(self) -> Stream:
        """Returns when the stream stands: from here on nothing is missed. Raises Refused."""
        if self._task:
            raise RuntimeError("a stream is entered once")
        self._loop = asyncio.get_running_loop()
        self._queue: "asyncio.Queue[Union[Item, _End]]" = asyncio.Queue(self._size)
        self._blocked = False
        self._failures = 0
        self._current: "Optional[asyncio.Task[Any]]" = None  # what `_interrupt` ends
        self._reason: Optional[str] = None
        self._timer: Optional[asyncio.TimerHandle] = None
        self._heard = self._loop.time()
        self._trial: List[str] = []  # topics that are asked for, and not granted yet
        self._granted: "Optional[asyncio.Future[None]]" = None
        self._adding = asyncio.Lock()
        self._holder = Holder(self._token_given, lambda: self._interrupt("token"))
        self._session = self._given or aiohttp.ClientSession()
        self._opened = self._loop.create_future()
        self._task = self._loop.create_task(self._run())
        try:
            await self._opened
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Item]:
        if not self._task:
            raise RuntimeError("async with zcast.connect(…) as stream: async for item in stream")
        return self

    async def __anext__(self) -> Item:
        while not self._over:
            item = await self._queue.get()
            if isinstance(item, _End):
                self._over = self._over or item
                break
            self._consumed = item.id or self._consumed
            if isinstance(item, Gap) or item.topic in self._topics or item.topic in self._trial:
                return item
        if self._over and self._over.error:
            raise self._over.error
        raise StopAsyncIteration

    @property
    def status(self) -> Status:
        return self._status

    @property
    def state(self) -> str:
        return self._status.state

    @property
    def transport(self) -> str:
        return self._status.transport

    @property
    def topics(self) -> List[str]:
        return list(self._topics)

    @property
    def last_id(self) -> str:
        """The id to resume from, as `since`, after what the iteration has given last."""
        known: str = self._received if self._task and self._queue.empty() else ""
        return known or self._consumed

    def use(self, transport: str) -> None:
        """Changes the transport in the middle; nothing is missed or repeated."""
        before, self._transport = self._transport, transport
        try:
            self._kinds = self._kinds_of()
        except ValueError:
            self._transport = before
            raise
        self._refused = set()
        if self._task:
            self._interrupt("transport")

    async def add(self, *topics: str) -> None:
        """More topics: from where the stream is now. Returns once the server has granted them; raises Refused, and then those
        before go on."""
        async with self._adding:
            new = [topic for topic in check_topics(topics) if topic not in self._topics]
            self._check_running()
            if not new:
                return
            self._trial, self._granted = new, self._loop.create_future()
            try:
                await self._change()
                await self._granted
            finally:
                self._trial, self._granted = [], None
                await self._change()  # what wasn't granted is wanted no more

    async def remove(self, *topics: str) -> None:
        """Fewer topics; none of their messages is given any more."""
        self._check_running()
        self._topics = [topic for topic in self._topics if topic not in topics]
        await self._change()

    async def publish(self, topic: str, data: Union[str, bytes], **about: Any) -> str:
        """As zcast.publish, with this stream's address, session and token."""
        self._check_running()
        how: Dict[str, Any] = {"token": self._token_given, "session": self._session, "headers": self._headers, **self._how, **about}
        return await publish(self._url, topic, data, **how)

    async def close(self) -> None:
        """The end: no task and no connection is left."""
        if not self._task or self._status.state == "closed":
            return
        self._task.cancel()
        await asyncio.wait({self._task})
        self._holder.drop()
        if not self._given:
            await self._session.close()
            await asyncio.sleep(0)  # for sockets to be closed
        if self._granted and not self._granted.done():
            self._granted.set_exception(RuntimeError("closed"))
        self._over = self._over or _End(None)
        if self._queue.empty():
            self._queue.put_nowait(_End(None))
        self._tell("closed")

    def _check_running(self) -> None:
        if not self._task or self._task.done():
            raise RuntimeError("the stream isn't open")

    # -- one connection after the other

    async def _run(self) -> None:
        try:
            while True:
                if self._topics or self._trial:
                    await self._turn()
                else:
                    self._received = ""  # what is added later begins then
                    self._tell("idle")
                    await self._stage(asyncio.Event().wait())
        except Exception as error:
            if isinstance(error, Refused):
                self._tell("refused", error=error)
            self._holder.drop()
            for waiting in (self._opened, self._granted):
                if waiting and not waiting.done():
                    waiting.set_exception(error)
            if self._opened.exception() is None:  # else it is raised there
                await self._queue.put(_End(error))

    async def _turn(self) -> None:
        """A connection, and the time after it."""
        kind = self._kinds[0]
        after: Optional[float] = None
        why: Exception = Ended("silent for too long")
        self._begin()
        try:
            if await self._stage(self._connect(kind)) != "silence":
                return  # with another transport, token or other topics, at once
        except Ended as ended:
            why, after = ended, ended.after
        except Refused as refusal:
            why, after = refusal, refusal.retry_after
            if self._is_over(kind, refusal):
                return
        await self._wait(kind, why, after if self._after is None else self._after)

    async def _stage(self, work: Coroutine[Any, Any, Any]) -> Optional[str]:
        """Runs what `_interrupt` may end, and returns the reason of that."""
        task = self._current = self._loop.create_task(work)
        try:
            await asyncio.wait({task})
        finally:
            self._current = None
            if self._timer:
                self._timer.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        reason, self._reason = self._reason, None
        if not task.cancelled():
            task.result()
        return reason

    def _interrupt(self, reason: str) -> None:
        if self._current and not self._current.done() and not self._reason:
            self._reason = reason
            self._current.cancel()

    async def _connect(self, kind: str) -> None:
        self._tell("connecting")
        self._heard = self._loop.time()
        self._watch()
        token = await self._holder.get()
        asked = [*self._topics, *self._trial]
        query = [("topic", topic) for topic in asked]
        if kind == "sse":
            query.append(("format", "zcast.v1"))
        if self._received:
            query.append(("last-event-id", self._received))
        url = address(self._url, self._paths[kind], kind, query)
        async with OPEN[kind](self._session, url, token, self._headers, self._how) as link:
            self._link, self._asked, self._resumes = link, asked, self._received != ""
            while True:
                for frame in await link.read():
                    self._heard = self._loop.time()
                    await self._take(frame)

    def _is_over(self, kind: str, refusal: Refused) -> bool:
        """Whether the next connection comes at once. Raises what leaves nothing to try."""
        if refusal.status == 401:
            again = self._positioned or (self._holder.can_renew and not self._holder.is_fresh)
            self._holder.drop()
            if again:
                return not self._positioned
        if not refusal.is_final:
            log.warning("%s: %s", kind, refusal)
            return False
        self._refused.add(kind)
        left = [other for other in self._kinds if other not in self._refused]
        if left:
            self._kinds = left
        elif self._granted and not self._granted.done() and self._topics:
            self._deny(refusal)
        else:
            raise refusal
        return True

    async def _wait(self, kind: str, why: Exception, after: Optional[float]) -> None:
        delay = backoff_delay(self._failures, self._backoff, self._max_backoff)
        if after is not None:  # a little later, since all others were told the same
            delay = max(delay, after + random.random() * self._backoff)
        if not self._proven:
            self._failures += 1
            if self._kinds[0] == kind:
                self._kinds.append(self._kinds.pop(0))
            if after is None and self._failures % len(self._kinds):
                delay = 0  # the other transport, at once
        log.info("%s: %s; again in %.1f s", kind, why, delay)
        self._tell("waiting", delay, why)
        await self._stage(asyncio.sleep(delay))

    # -- topics

    async def _change(self) -> None:
        """The connection is to have other topics, where it stands; where it doesn't yet, it changes then."""
        wanted = [*self._topics, *self._trial]
        if self._status.state == "idle":
            return self._interrupt("topics")
        if not self._positioned or not self._link:
            return
        more = [topic for topic in wanted if topic not in self._asked]
        less = [topic for topic in self._asked if topic not in wanted]
        if not more and not less:
            return
        if not wanted or not self._link.can_change:
            return self._interrupt("topics")
        self._asked = wanted
        with contextlib.suppress(aiohttp.ClientError, OSError):  # it has ended, and the next one comes with them
            if less:
                await self._link.send({"type": "unsubscribe", "topics": less})
            if more:
                await self._link.send({"type": "subscribe", "topics": more, "ref": "add"})

    def _grant(self, topics: Iterable[str]) -> None:
        """The server brings these."""
        if self._granted and not self._granted.done() and set(self._trial) <= set(topics):
            self._topics += self._trial
            self._granted.set_result(None)

    def _deny(self, refusal: Refused) -> None:
        if self._granted and not self._granted.done():
            self._granted.set_exception(refusal)
            self._asked = [topic for topic in self._asked if topic not in self._trial]
            self._trial = []
            self._kinds, self._refused = self._kinds_of(), set()

    # -- what comes

    async def _take(self, frame: Frame) -> None:
        if isinstance(frame, Said) and await self._take_words(frame):
            return
        if self._resumes and self._is_unresumed(frame):
            raise Ended("it doesn't say whether something was missed")
        self._proven = True
        self._failures = 0
        if isinstance(frame, Message):
            await self._take_message(frame)
        elif isinstance(frame, Verdict):
            await self._take_verdict(frame)
        elif frame.kind == "reconnect":
            self._after = frame.after
        else:
            await self._move(frame)

    async def _take_words(self, frame: Said) -> bool:
        """What says nothing of the position."""
        if frame.kind in ("stale", "live"):
            self._stale = frame.kind == "stale"
            if self._stale or self._positioned:
                self._tell("stale" if self._stale else "open")
        elif frame.kind == "end" and frame.refusal:
            raise frame.refusal
        elif frame.kind == "error" and frame.refusal:
            self._take_error(frame.refusal, frame.ref)
        else:
            return False
        return True

    def _take_error(self, refusal: Refused, ref: object) -> None:
        log.warning("%s", refusal)
        if ref != "add":
            return
        if not refusal.is_final:
            raise refusal  # and comes back with them
        self._deny(refusal)

    def _is_unresumed(self, frame: Frame) -> bool:
        """A stream that came with an id begins with the verdict. Where it doesn't, the id was lost on the way."""
        if isinstance(frame, Message):
            return True
        return isinstance(frame, Said) and frame.kind == "heartbeat" and frame.id not in ("", self._received)

    async def _take_message(self, message: Message) -> None:
        self._stale = False
        if not self._positioned:
            await self._settle()
        await self._put(message)
        self._received = message.id or self._received
        self._recover()

    async def _take_verdict(self, verdict: Verdict) -> None:
        self._resumes = False
        if verdict.gap:
            await self._put(verdict.gap)
        self._received = verdict.id or self._received
        if not self._positioned:
            await self._settle()

    async def _move(self, frame: Said) -> None:
        """A heartbeat, or an answer about topics: complete up to here."""
        self._received = frame.id or self._received
        if self._resumes:
            return
        if frame.kind == "subscribed":
            self._grant(frame.topics)
        elif not frame.id and self._positioned and frame.kind == "heartbeat":
            return self._tell("stale")  # the worker is without a broker
        if frame.id and not self._positioned:
            await self._settle()
        self._recover()

    async def _settle(self) -> None:
        """It has said where it is."""
        self._positioned = True
        self._grant(self._asked)
        self._tell("stale" if self._stale else "open")
        if not self._opened.done():
            self._opened.set_result(None)
        await self._change()

    def _recover(self) -> None:
        if self._positioned and not self._stale and self._status.state == "stale":
            self._tell("open")

    async def _put(self, item: Item) -> None:
        """Waits where whoever iterates is slow: then no more is read."""
        self._blocked = True
        try:
            await self._queue.put(item)
        finally:
            self._blocked = False
            self._heard = self._loop.time()

    # -- silence

    def _watch(self) -> None:
        """Ends a connection that is silent for too long, and says so before, when a heartbeat is late. A new one must say soon where
        it is: a proxy may hold it back."""
        limit = self._silence if self._proven else self._patience
        silence = 0.0 if self._blocked else self._loop.time() - self._heard
        if silence >= limit:
            return self._interrupt("silence")
        late = self._positioned and silence >= 0.75 * limit
        if late:
            self._tell("stale")
        due = limit if late or not self._positioned else 0.75 * limit
        self._timer = self._loop.call_later(max(0.01, due - silence), self._watch)

    def _tell(self, state: str, delay: Optional[float] = None, error: Optional[Exception] = None) -> None:
        before = self._status
        self._status = Status(state, self._kinds[0], self._failures, delay, error)
        if self._on_state and self._status != before:
            try:
                self._on_state(self._status)
            except Exception:
                log.exception("on_state")


def connect(
    url: str,
    topics: Union[str, Iterable[str]],
    *,
    transport: str = "auto",
    since: str = "",
    token: Token = None,
    sse: str = "/events",
    ws: str = "/ws",
    silence: float = 45.0,
    patience: float = 10.0,
    backoff: float = 1.0,
    max_backoff: float = 30.0,
    queue: int = 1024,
    on_state: Optional[Callable[[Status], None]] = None,
    session: Optional[aiohttp.ClientSession] = None,
    headers: Optional[Dict[str, str]] = None,
    **how: Any,
) -> Stream:
    """A stream of the topics' messages, in their order: `async with zcast.connect(…) as stream: async for item in stream`.

    An item is a Message, or a Gap where messages are gone. `since`: resume after this id, or "earliest" for all of history (from now
    on, by default). `transport`: auto (SSE, or WebSocket where that doesn't work), sse, ws. `silence`: seconds without a message or
    heartbeat after which a connection is dead; `patience`: seconds that a new one has to say something. Reconnects wait a random
    time up to `backoff` * 2^failures seconds, at most `max_backoff`, and not less than the server asks for. `queue`: items that are
    read ahead. `how`: `proxy`, `ssl` and so on, as aiohttp takes them for each request."""
    settings = {name: value for name, value in locals().items() if name not in ("url", "topics")}
    for name in ("silence", "patience", "backoff", "max_backoff"):
        if not (isinstance(settings[name], (int, float)) and 0 <= settings[name] < math.inf):
            raise ValueError(f"{name}: {settings[name]!r}")
    if queue < 1:
        raise ValueError(f"queue: {queue!r}")
    return Stream(url, topics, settings)
