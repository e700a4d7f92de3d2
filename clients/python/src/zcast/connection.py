"""One connection, over either transport: it is opened, says frames, and ends. aiohttp has both protocols."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, AsyncIterator, Callable, Dict, List, Optional, Union

import aiohttp

from .errors import Refused, read_refusal
from .events import EventParser
from .frames import Frame, parse_event, parse_frame

LARGEST = 64 * 1024 * 1024  # bytes of a message
_REFUSAL = 64 * 1024  # bytes of an answer that says no


class Ended(Exception):
    """The connection has ended, in whatever way. `after`: seconds that the server asked to stay away."""

    def __init__(self, why: str, after: Optional[float] = None) -> None:
        super().__init__(why)
        self.after = after


def bearer(token: str, headers: Dict[str, str]) -> Dict[str, str]:
    return {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}


class EventStream:
    """Server-Sent Events. Topics can't be changed on it."""

    can_change = False

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._parser = EventParser(LARGEST)

    async def send(self, words: Dict[str, Any]) -> None:
        raise NotImplementedError

    async def read(self) -> List[Frame]:
        """What it says next. Raises Ended, or Refused."""
        try:
            data = await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise Ended(str(error) or type(error).__name__, self._after()) from error
        if not data:
            raise Ended("the stream has ended", self._after())
        return [parse_event(event) for event in self._parser.feed(data)]

    def _after(self) -> Optional[float]:
        return None if self._parser.retry is None else min(self._parser.retry / 1000, 600.0)


class Socket:
    """WebSocket with the sub-protocol zcast.v1."""

    can_change = True

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, words: Dict[str, Any]) -> None:
        await self._socket.send_json(words)

    async def read(self) -> List[Frame]:
        said = await self._socket.receive()
        if said.type == aiohttp.WSMsgType.TEXT:
            return [parse_frame(said.data)]
        if said.type == aiohttp.WSMsgType.BINARY:
            return []
        if said.type == aiohttp.WSMsgType.CLOSE:
            code, reason = said.data or 0, said.extra or ""
            if 4400 <= code < 4600:  # 4000 and the status that was refused with
                raise Refused(code - 4000, reason or f"status {code - 4000}")
            raise Ended(f"closed: {code} {reason}".strip())
        raise Ended(f"cut: {said.data or said.type.name}")  # closed, or an error


@contextlib.asynccontextmanager
async def open_sse(session: aiohttp.ClientSession, url: str, token: str, headers: Dict[str, str], how: Dict[str, Any]) -> AsyncIterator[EventStream]:
    # compressed, a stream would be held back
    wanted = {"Accept": "text/event-stream, application/json;q=0.9", "Accept-Encoding": "identity", "Cache-Control": "no-store"}
    timeout = aiohttp.ClientTimeout(total=None)
    try:
        response = await session.get(url, headers=bearer(token, {**wanted, **headers}), timeout=timeout, **how)
    except (aiohttp.ClientError, OSError) as error:
        raise Ended(str(error) or type(error).__name__) from error
    try:
        if response.status != 200 or "event-stream" not in response.headers.get("Content-Type", ""):
            raise await _refusal(response)
        yield EventStream(response)
    finally:
        response.close()


async def _refusal(response: aiohttp.ClientResponse) -> Exception:
    if response.status < 400:
        return Refused(404, "no event stream is there", "type")
    body = b""
    with contextlib.suppress(aiohttp.ClientError, OSError):
        body = await read_body(response)
    return read_refusal(response.status, response.headers, body)


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Of a short answer."""
    body = b""
    while len(body) < _REFUSAL and (part := await response.content.read(_REFUSAL)):
        body += part
    return body


@contextlib.asynccontextmanager
async def open_ws(session: aiohttp.ClientSession, url: str, token: str, headers: Dict[str, str], how: Dict[str, Any]) -> AsyncIterator[Socket]:
    try:
        socket = await session.ws_connect(url, headers=bearer(token, headers), protocols=["zcast.v1"], max_msg_size=LARGEST, **how)
    except aiohttp.WSServerHandshakeError as error:
        if error.status < 400:  # no WebSocket is there, or none that was asked for
            raise Refused(404, "no WebSocket is there", "type") from error
        raise read_refusal(error.status, error.headers or {}, b"") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Ended(str(error) or type(error).__name__) from error
    try:
        if socket.protocol != "zcast.v1":
            raise Refused(404, "no zcast.v1 is spoken there", "type")
        yield Socket(socket)
    finally:
        # who doesn't answer isn't waited for; given up, aiohttp closes the connection
        with contextlib.suppress(asyncio.TimeoutError, aiohttp.ClientError, OSError):
            await asyncio.wait_for(socket.close(), 0.5)


Connection = Union[EventStream, Socket]
Opener = Callable[[aiohttp.ClientSession, str, str, Dict[str, str], Dict[str, Any]], "contextlib.AbstractAsyncContextManager[Connection]"]
OPEN: Dict[str, Opener] = {"sse": open_sse, "ws": open_ws}
