"""JPP-streams (T.808 Annex A) read by a parser that shares nothing with Wavetile's, and rows for the table."""

import os
import sys

CLASSES = {0: "precinct", 1: "precinct", 2: "tile header", 4: "tile", 5: "tile", 6: "main header", 8: "metadata"}


class Broken(Exception):
    """The stream is not what it should be."""


class Bins:
    """Data-bins put together from messages: (codestream, class, id) -> bytes."""

    def __init__(self):
        self.bins = {}
        self.whole = {}
        self.duplicate = 0
        self.payload = 0

    def add(self, body, strict=True):
        """Takes one response's body; returns the reason of its end-of-response."""
        at, kind, stream, reason = 0, 0, 0, None
        def number():
            nonlocal at
            value = 0
            while True:
                if at >= len(body):
                    raise Broken("the body ends inside a header")
                byte = body[at]
                at += 1
                value = value << 7 | byte & 127
                if byte < 128:
                    return value
        while at < len(body):
            if reason is not None:
                raise Broken("something follows the end-of-response")
            first = body[at]
            if first == 0:
                reason = body[at + 1]
                at += 2
                length = number()
                at += length
                continue
            at += 1
            form = first >> 5 & 3
            if form == 0:
                raise Broken("a message of form 00")
            last = bool(first & 16)
            name = first & 15
            more = first >= 128
            while more:
                byte = body[at]
                at += 1
                name = name << 7 | byte & 127
                more = byte >= 128
            if form >= 2:
                kind = number()
            if form == 3:
                stream = number()
            offset = number()
            length = number()
            if kind & 1:
                number()
            if kind not in CLASSES:
                raise Broken(f"class {kind}")
            payload = body[at:at + length]
            if len(payload) < length:
                raise Broken("the body ends inside a message")
            at += length
            self.put((stream if kind != 8 else 0, CLASSES[kind], name), offset, payload, last)
        if strict and reason is None:
            raise Broken("there is no end-of-response")
        return reason

    def put(self, name, offset, payload, last):
        held = self.bins.setdefault(name, bytearray())
        if offset > len(held):
            raise Broken(f"{name}: a gap before byte {offset}")
        again = min(len(held) - offset, len(payload))
        if bytes(held[offset:offset + again]) != payload[:again]:
            raise Broken(f"{name}: other bytes at {offset}")
        self.duplicate += again
        self.payload += len(payload)
        held.extend(payload[again:])
        if last:
            self.whole[name] = len(held)

    def compare(self, other):
        """How many complete bins of `other` are here, byte by byte; raises if one differs or is missing."""
        same = 0
        for name in other.whole:
            if name[1] == "metadata":
                continue
            if name not in self.whole:
                raise Broken(f"{name} is missing")
            ours, theirs = bytes(self.bins[name]), bytes(other.bins[name])
            if name[1] == "tile header":
                ours, theirs = tile_header(ours), tile_header(theirs)
            if ours != theirs:
                raise Broken(f"{name} differs")
            same += 1
        if same == 0:
            raise Broken("there is nothing to compare with")
        return same


def tile_header(held):
    """The marker segments of a tile header but PLT, which may be left out; without what one server leaves of SOT and SOD."""
    if held[:2] == b"\x00\x0a":
        held = held[10:]
    kept = b""
    while len(held) >= 4 and held[:2] != b"\xff\x93":
        length = 2 + int.from_bytes(held[2:4], "big")
        if held[0] != 0xFF or length > len(held):
            raise Broken(f"a tile header with {held[:4].hex()} in it")
        if held[:2] != b"\xff\x58":
            kept += held[:length]
        held = held[length:]
    if held not in (b"", b"\xff\x93"):
        raise Broken(f"a tile header that ends with {held.hex()}")
    return kept


def recorded(session):
    """The bins of a recorded session of another server."""
    folder = os.path.join(os.environ["SHARED"], "interop")
    bins = Bins()
    names = sorted(name for name in os.listdir(folder) if name.startswith(session + "_") and name.endswith(".body"))
    if not names:
        raise FileNotFoundError(session)
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            body = file.read()
        if body:
            bins.add(body, strict=False)
    return bins


def row(peer, road, what, result, detail=""):
    print("\t".join([peer, road, what, result, str(detail).replace("\t", " ").replace("\n", " ")]), flush=True)


def check(peer, road, what, work):
    """A row that passes if `work` returns its detail and fails if it raises."""
    try:
        row(peer, road, what, "pass", work())
    except Exception as error:  # Whatever it is belongs into the table.
        row(peer, road, what, "fail", f"{type(error).__name__}: {error}")


def environment(*names):
    missing = [name for name in names if name not in os.environ]
    if missing:
        sys.exit(f"run by tests/interop/run, which sets {', '.join(missing)}")
    return [os.environ[name] for name in names]
