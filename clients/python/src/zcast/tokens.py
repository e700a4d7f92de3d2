"""Who asks: a token, or a function that gives one."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Awaitable, Callable, Optional, Union

import aiohttp

from .connection import Ended
from .frames import token_end

Token = Union[str, Callable[[], Union[str, Awaitable[str]]], None]
_LONGEST = 30 * 86400.0  # seconds of a timer


class Holder:
    """Keeps the token that a function gave, until it ends. `renew` is called before that."""

    def __init__(self, given: Token, renew: Optional[Callable[[], None]] = None) -> None:
        self._given = given
        self._renew = renew
        self._token = ""
        self._timer: Optional[asyncio.TimerHandle] = None
        self.is_fresh = False  # it was given for this request

    @property
    def can_renew(self) -> bool:
        return callable(self._given)

    async def get(self) -> str:
        """Raises Ended where the function can't be answered now."""
        if not callable(self._given):
            self.is_fresh = True
            return self._given or ""
        if token_end(self._token) < time.time() + 5:
            self._token = ""
        self.is_fresh = not self._token
        if self.is_fresh:
            try:
                made = self._given()
                self._token = await made if inspect.isawaitable(made) else made
            except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
                raise Ended(f"no token: {error!r}") from error
            self._renew_later()
        return self._token

    def drop(self) -> None:
        self._token = ""
        if self._timer:
            self._timer.cancel()

    def _renew_later(self) -> None:
        """A connection has the rights of the token that it came with: another one comes before that ends."""
        if self._timer:
            self._timer.cancel()
        left = token_end(self._token) - time.time()
        if self._renew and 0 < left <= _LONGEST:
            self._timer = asyncio.get_running_loop().call_later(left - min(30.0, left / 10), self._end)

    def _end(self) -> None:
        self.drop()
        if self._renew:
            self._renew()
