"""HTTP/1.1 from a client's side, byte by byte where a test wants it so."""

from wsraw import Closed, Raw


def request(path="/events?topic=a", method="GET", version="HTTP/1.1", body=b"", host="localhost", **fields):
    """A request; fields by name with _ for -. A body brings its length, unless Transfer_Encoding is there."""
    lines = [f"{method} {path} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    if body and not {"Transfer_Encoding", "Content_Length"} & set(fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunks(*parts, last=True):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + (b"0\r\n\r\n" if last else b"")


class Http(Raw):
    """One connection: requests, and their answers in order."""

    def ask(self, *arguments, **fields):
        """One request, read to the end of its answer: status, fields, body."""
        self.send(request(*arguments, **fields))
        return self.answer(arguments[1] if len(arguments) > 1 else fields.get("method", "GET"))

    def answer(self, method="GET"):
        """The next answer, with its whole body: status, fields, body. Interim ones are passed over."""
        status, fields = self.response()
        while status == 100:
            status, fields = self.response()
        if method == "HEAD" or status in (204, 304):
            return status, fields, b""
        if fields.get("transfer-encoding") == "chunked":
            parts = []
            while (part := self.chunk()):
                parts.append(part)
            return status, fields, b"".join(parts)
        return status, fields, self.take(int(fields["content-length"]))

    def line(self):
        while b"\r\n" not in self.bytes:
            self._more()
        line, self.bytes = self.bytes.split(b"\r\n", 1)
        return line

    def chunk(self):
        """The next chunk's data; b"" for the last one."""
        size = int(self.line(), 16)
        data = self.take(size)
        assert self.take(2) == b"\r\n"
        return data

    def stream(self, *arguments, **fields):
        """Opens a stream, which must be one in chunks. Returns the answer's fields."""
        self.send(request(*arguments, **fields))
        status, found = self.response()
        assert status == 200, (status, found, self.bytes)
        assert found["content-type"] == "text/event-stream" and found["transfer-encoding"] == "chunked"
        assert "content-length" not in found
        return found

    def events_until(self, part):
        """Reads chunks of a stream until they hold `part`; returns their text."""
        text = b""
        while part not in text:
            data = self.chunk()
            assert data, f"the stream ended cleanly, with {text!r}"
            text += data
        return text

    def is_cut(self):
        """Reads a stream to the end of its connection: True where that came without the last chunk."""
        try:
            while self.chunk():
                pass
            return False
        except Closed:
            return True
