"""Event streams (WHATWG HTML §9.2): bytes in, events out, no I/O."""

from __future__ import annotations

from typing import List, NamedTuple, Optional

_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    type: str
    data: str
    id: str  # the last one that was said


class EventParser:
    """Takes a stream in whatever pieces it comes. `retry`: ms, as the stream said last. What is incomplete at the end is no event."""

    def __init__(self, limit: int = 64 * 1024 * 1024) -> None:
        self.last_id = ""
        self.retry: Optional[int] = None
        self._limit = limit  # bytes of an event
        self._first = True
        self._after_cr = False  # a line feed that comes next belongs to the end of the line before
        self._parts: List[bytes] = []  # of a line that has no end yet
        self._size = 0  # bytes of the event so far
        self._id = ""
        self._type = ""
        self._data: List[str] = []

    def feed(self, data: bytes) -> List[Event]:
        """Raises ValueError where an event is larger than the limit."""
        if self._after_cr and data:
            self._after_cr = False
            if data.startswith(b"\n"):
                data = data[1:]
        if b"\n" not in data and b"\r" not in data:
            self._keep(data)
            return []
        self._after_cr = data.endswith(b"\r")
        ends = data.endswith((b"\n", b"\r"))
        lines = b"".join([*self._parts, data]).splitlines()
        self._parts = []
        rest = b"" if ends else lines.pop()
        made = [event for event in map(self._line, lines) if event]
        self._keep(rest)
        return made

    def _keep(self, part: bytes) -> None:
        self._grow(len(part))
        if part:
            self._parts.append(part)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._limit:
            raise ValueError(f"an event of more than {self._limit} bytes")

    def _line(self, line: bytes) -> Optional[Event]:
        if self._first:
            self._first = False
            if line.startswith(_BOM):
                line = line[len(_BOM) :]
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if name == b"data":
            self._grow(len(value) + 1)
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._type = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            self.retry = int(value[:15])
        return None

    def _dispatch(self) -> Optional[Event]:
        self.last_id = self._id
        made = Event(self._type or "message", "\n".join(self._data), self.last_id) if self._data else None
        self._type, self._data, self._size = "", [], 0
        return made
