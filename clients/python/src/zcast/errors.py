"""What a server, or who stands before it, doesn't do."""

from __future__ import annotations

import datetime
import email.utils
import json
from typing import Mapping, Optional

CODES = {400: "topic", 401: "token", 403: "forbidden", 404: "path", 405: "method", 429: "limit", 503: "busy"}
_NOT_FINAL = (408, 425, 429)
_LONGEST = 86400.0  # seconds that a server may ask to stay away


class Refused(Exception):
    """`status` is as of HTTP, or 0 where there is none; `code` is one word for programs, `message` the server's sentence.
    `retry_after`: seconds after which the server said it may be asked again."""

    def __init__(self, status: int, message: str, code: str = "", retry_after: Optional[float] = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or CODES.get(status, "http")
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.status or ''} {self.code}: {self.message}".strip()

    @property
    def is_final(self) -> bool:
        """Whether asking again wouldn't help."""
        return self.status == 0 or (400 <= self.status < 500 and self.status not in _NOT_FINAL)


def read_retry_after(text: Optional[str], now: Optional[datetime.datetime] = None) -> Optional[float]:
    """Seconds, of a Retry-After: digits or a date (RFC 9110 §10.2.3); None where it says neither."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.timezone.utc)
    left = (date - (now or datetime.datetime.now(datetime.timezone.utc))).total_seconds()
    return min(max(0.0, left), _LONGEST)


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refused:
    """What an answer that isn't the wanted one says: zcast's JSON, or a line of text; a page of somebody else's says nothing."""
    text = body.decode("utf-8", "replace")
    kind = headers.get("Content-Type", "")
    message, code = f"status {status}", ""
    if "json" in kind:
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            said = None
        if isinstance(said, dict):
            message, code = str(said.get("message") or message), str(said.get("code") or "")
    elif "text/plain" in kind and text.strip():
        message = text.strip()[:1000]
    return Refused(status, message, code, read_retry_after(headers.get("Retry-After")))
