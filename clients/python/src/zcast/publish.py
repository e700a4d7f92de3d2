"""Publishing, by HTTP."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from typing import Any, Dict, Optional, Union

import aiohttp

from .connection import Ended, bearer, read_body
from .errors import Refused, read_refusal
from .frames import address, check_topics
from .tokens import Holder, Token

_ATTEMPT = 15.0  # seconds
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # it may be otherwise soon


async def publish(
    url: str,
    topic: str,
    data: Union[str, bytes],
    *,
    event: Optional[str] = None,
    id: Optional[str] = None,
    key: Optional[str] = None,
    ttl: Optional[int] = None,
    retry: Optional[int] = None,
    private: Optional[bool] = None,
    traceparent: Optional[str] = None,
    token: Token = None,
    path: str = "/publish",
    timeout: float = 60.0,
    backoff: float = 0.5,
    session: Optional[aiohttp.ClientSession] = None,
    headers: Optional[Dict[str, str]] = None,
    **how: Any,
) -> str:
    """Publishes a message, and returns its id once the broker has it.

    It is sent again, for `timeout` seconds at most, where the network fails or the server says "not now"; under one key (`id`,
    `key`, or else a random one), so it is published once. Raises Refused for what is refused, asyncio.TimeoutError where there was
    no answer in time: then nobody knows, and the same key may be sent again. `how`: `proxy`, `ssl` and so on, as aiohttp takes them."""
    check_topics([topic])
    key = key or (None if id else str(uuid.uuid4()))
    words = {"topic": topic, "event": event, "id": id, "ttl": ttl, "retry": retry, "traceparent": traceparent}
    words["private"] = None if private is None else "yes" if private else "no"
    post = address(url, path, "sse", [(name, str(value)) for name, value in words.items() if value is not None])
    kind = "text/plain; charset=utf-8" if isinstance(data, str) else "application/octet-stream"
    about = {"Content-Type": kind, "Accept": "application/json", **({"Idempotency-Key": key} if key else {}), **(headers or {})}
    body = data.encode() if isinstance(data, str) else bytes(data)
    if session is None:
        async with aiohttp.ClientSession() as session:
            return await _persist(session, post, body, about, Holder(token), timeout, backoff, how)
    return await _persist(session, post, body, about, Holder(token), timeout, backoff, how)


async def _persist(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: Dict[str, str], token: Holder, timeout: float, backoff: float, how: Dict[str, Any]
) -> str:
    end = time.monotonic() + timeout
    failures = 0
    last: Exception = asyncio.TimeoutError("no answer")
    while (left := end - time.monotonic()) > 0:
        delay = random.random() * min(10.0, backoff * 2 ** min(failures, 10))
        try:
            return await _post(session, url, body, headers, token, min(left, _ATTEMPT), how)
        except Refused as refusal:
            if refusal.status == 401 and token.can_renew and not token.is_fresh:
                token.drop()
                continue
            if refusal.status not in _PASSING:
                raise
            last = refusal
            delay += refusal.retry_after or 0.0
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError, Ended) as error:
            last = asyncio.TimeoutError(f"no answer: {error!r}")
        failures += 1
        await asyncio.sleep(min(delay, max(0.0, end - time.monotonic())))
    raise last


async def _post(session: aiohttp.ClientSession, url: str, body: bytes, headers: Dict[str, str], token: Holder, timeout: float, how: Dict[str, Any]) -> str:
    limit = aiohttp.ClientTimeout(total=timeout)
    given = await asyncio.wait_for(token.get(), timeout)
    async with session.post(url, data=body, headers=bearer(given, headers), timeout=limit, allow_redirects=False, **how) as answer:
        text = await read_body(answer)
        if answer.status != 200:
            raise read_refusal(answer.status if answer.status >= 400 else 404, answer.headers, text)
        try:
            id = json.loads(text)["id"]
        except (ValueError, KeyError, TypeError):
            id = None
        if not isinstance(id, str):
            raise Refused(404, "no zcast answers there", "type")
        return id
