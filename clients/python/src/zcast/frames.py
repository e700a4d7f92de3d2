"""What is said: messages, gaps, the texts of zcast.v1, positions, addresses and tokens. No I/O."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import re
import unicodedata
import urllib.parse
from typing import Any, Dict, Iterable, List, Optional, Tuple, Union

from .errors import CODES, Refused
from .events import Event

_POSITION = re.compile(r"[0-9]{1,15}-[0-9]{1,10}")


@dataclasses.dataclass(frozen=True)
class Message:
    topic: str
    data: Union[str, bytes]  # bytes where the payload isn't UTF-8
    event: str  # the publisher's event type, else "message"
    id: str  # the position: where to resume after this message
    event_id: Optional[str] = None  # the publisher's own id; another message may have the same
    traceparent: Optional[str] = None  # the trace that it belongs to (W3C Trace Context)


@dataclasses.dataclass(frozen=True)
class Gap:
    """Messages after `since` are gone, and history begins at `from_`: what is built from messages has to be loaded anew. The
    messages that are left follow."""

    since: str
    from_: str
    id: str  # where to resume after this gap
    topic: Optional[str] = None  # the one that it concerns, where that is known


# What a connection says. `Verdict`: how a stream that resumes stands; `Said`: everything else.


@dataclasses.dataclass(frozen=True)
class Verdict:
    id: str
    gap: Optional[Gap]


@dataclasses.dataclass(frozen=True)
class Said:
    kind: str  # heartbeat, stale, live, reconnect, subscribed, error, end
    id: str = ""
    after: float = 0.0  # reconnect: seconds
    topics: Tuple[str, ...] = ()  # subscribed
    ref: Any = None  # error: of the request
    refusal: Optional[Refused] = None  # error, end


Frame = Union[Message, Verdict, Said]


def _bad(text: str) -> Refused:
    return Refused(0, f"not a zcast.v1 frame: {text[:100]}", "frame")


def _object(text: str) -> Dict[str, Any]:
    try:
        made = json.loads(text)
    except (ValueError, RecursionError):
        raise _bad(text) from None
    if not isinstance(made, dict):
        raise _bad(text)
    return made


def _text(made: Dict[str, Any], name: str, default: Optional[str] = None) -> str:
    value = made.get(name, default)
    if not isinstance(value, str):
        raise _bad(json.dumps(made))
    return value


def parse_frame(text: str) -> Frame:
    """A zcast.v1 object. Raises Refused where it is none."""
    made = _object(text)
    if "type" in made:
        return _parse_said(made)
    topic, event, id = _text(made, "topic"), _text(made, "event", "message"), _text(made, "id", "")
    if topic == "":
        return _parse_own(event, _text(made, "data", "{}"), id)
    own, trace = (value if isinstance(value, str) else None for value in (made.get("eventId"), made.get("traceparent")))
    return Message(topic, _payload(made), event, id, own, trace)


def _payload(made: Dict[str, Any]) -> Union[str, bytes]:
    if "base64" not in made:
        return _text(made, "data")
    try:
        return base64.b64decode(_text(made, "base64"), validate=True)
    except ValueError:
        raise _bad(json.dumps(made)) from None


def _parse_said(made: Dict[str, Any]) -> Said:
    kind, id = made["type"], _text(made, "id", "")
    if kind == "reconnect":
        return Said(kind, after=_seconds(made.get("after")))
    if kind == "error":
        return Said(kind, ref=made.get("ref"), refusal=_refusal_of(_text(made, "code", ""), _text(made, "message", "refused")))
    if kind == "subscribed":
        topics = made.get("topics")
        if not isinstance(topics, list):
            raise _bad(json.dumps(made))
        return Said(kind, id, topics=tuple(map(str, topics)))
    return Said("heartbeat", id)  # alive, whatever it says


def _seconds(ms: Any) -> float:
    if not isinstance(ms, (int, float)) or not 0 <= ms <= 86400_000:
        return 0.0
    return ms / 1000


def _refusal_of(code: str, message: str) -> Refused:
    """Of an error that is told on a connection, which has no status."""
    status = next((status for status, known in CODES.items() if code.startswith(known)), 400)
    return Refused(status, message, code)


def _parse_own(event: str, data: str, id: str) -> Frame:
    """An event of zcast's own."""
    made = _object(data)
    if event == "zcast.continuity":
        if made.get("status") not in ("continued", "gap"):
            raise _bad(data)
        is_gap = made["status"] == "gap"
        topic = made.get("topic")
        gap = Gap(_text(made, "since", ""), _text(made, "from", id), id, topic if isinstance(topic, str) else None)
        return Verdict(id, gap if is_gap else None)
    if event == "zcast.stale":
        return Said("live" if made.get("status") == "live" else "stale", id)
    if event == "zcast.end":
        code = _text(made, "code", "")  # who was disconnected by hand may come back; else it is because of the token
        return Said("end", id, refusal=Refused(429 if code == "dropped" else 401, _text(made, "message", "the stream has ended"), code))
    return Said("heartbeat", id)


def parse_event(event: Event) -> Frame:
    """An event of a stream that was asked for with format=zcast.v1."""
    if event.type.startswith("zcast."):
        return _parse_own(event.type, event.data, event.id)
    return parse_frame(event.data)


def is_position(id: str) -> bool:
    return _POSITION.fullmatch(id) is not None


def check_topics(topics: Iterable[str]) -> List[str]:
    """Each once. Raises ValueError where one can't be."""
    if isinstance(topics, str):
        topics = [topics]
    made = list(dict.fromkeys(topics))
    for topic in made:
        if not isinstance(topic, str) or not topic or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in topic):
            raise ValueError(f"no topic: {topic!r}")
        if len(topic.encode()) > 1024:
            raise ValueError(f"a topic of more than 1024 bytes: {topic[:40]!r}…")
    return made


def address(base: str, path: str, kind: str, query: Iterable[Tuple[str, str]]) -> str:
    """Of a door: `path` relative to `base`, where it isn't an address itself."""
    parts = urllib.parse.urlsplit(urllib.parse.urljoin(base, path))
    schemes = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0:
        raise ValueError(f"no address: {urllib.parse.urljoin(base, path)!r}")
    scheme = schemes[parts.scheme]
    if kind == "ws":
        scheme = scheme.replace("http", "ws")
    words = "&".join(filter(None, [parts.query, urllib.parse.urlencode(list(query), quote_via=urllib.parse.quote)]))
    return urllib.parse.urlunsplit((scheme, parts.netloc, parts.path, words, ""))


def token_end(token: str) -> float:
    """When a JSON Web Token ends, in seconds since 1970; infinity where it doesn't say."""
    try:
        claims = token.split(".")[1]
        end = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return float(end)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return math.inf
