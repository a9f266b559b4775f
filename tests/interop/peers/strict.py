#!/usr/bin/env python3
"""A client as strict as JHelioviewer's: exact header case, `HTTP/1.1 200 OK` to the letter, ": " once, no empty values, no
chunk extensions or trailers, one kept-alive connection, `path=` and `cid=` in JPIP-cnew."""

import socket

from jpp import Bins, Broken, check, environment, recorded

(HTTP,) = environment("HTTP")


class Connection:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", int(HTTP)), timeout=30)
        self.file = self.socket.makefile("rb")

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise Broken(f"a line ends with {line[-2:]!r}")
        return line[:-2].decode("ascii")

    def get(self, target):
        self.socket.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{HTTP}\r\nUser-Agent: strict\r\nConnection: keep-alive\r\nAccept-Encoding: identity\r\n\r\n".encode())
        status = self.line()
        if status != "HTTP/1.1 200 OK":
            raise Broken(f"status line {status!r}")
        fields = {}
        while line := self.line():
            name, mark, value = line.partition(": ")
            if not mark or not value or value != value.strip() or name != name.strip():
                raise Broken(f"header line {line!r}")
            if name in fields:
                raise Broken(f"{name} twice")
            fields[name] = value
        if fields.get("Content-Type") != "image/jpp-stream":
            raise Broken(f"Content-Type {fields.get('Content-Type')!r}")
        if "Content-Length" in fields:
            return fields, self.file.read(int(fields["Content-Length"]))
        if fields.get("Transfer-Encoding") != "chunked":
            raise Broken(f"no length in {sorted(fields)}")
        body = b""
        while True:
            size = self.line()
            if not size or any(digit not in "0123456789abcdefABCDEF" for digit in size):
                raise Broken(f"chunk size {size!r}")
            body += self.file.read(int(size, 16))
            if self.line():
                raise Broken("a chunk is longer than it says")
            if int(size, 16) == 0:
                return fields, body


def session():
    connection, bins = Connection(), Bins()
    fields, body = connection.get("/one3.jp2?cnew=http&type=jpp-stream&tid=0&len=512")
    bins.add(body)
    if not fields.get("JPIP-tid"):
        raise Broken("no JPIP-tid")
    new = dict(part.split("=", 1) for part in fields["JPIP-cnew"].split(","))
    if "/" in new["path"] or not new["cid"]:
        raise Broken(f"JPIP-cnew {new}")
    requests = 1
    for window in ["stream=0&metareq=[*]!!&len=2000000", "stream=0&fsiz=64,64,closest&rsiz=64,64&roff=0,0&len=2097152",
                   "stream=0&fsiz=1000,700,closest&rsiz=1000,700&roff=0,0&len=2097152"]:
        reason = None
        while reason not in (1, 2):
            requests += 1
            if requests > 20:
                raise Broken("it would go on for ever: no end-of-response 1 or 2")
            reason = bins.add(connection.get(f"/{new['path']}?{window}&cid={new['cid']}")[1])
    same = bins.compare(recorded("esajpip1_one3"))
    connection.get(f"/{new['path']}?cclose={new['cid']}&cid={new['cid']}&len=0")
    return f"{requests} requests on one connection, {same} bins identical, {bins.duplicate} bytes twice"


def refusal():
    connection = Connection()
    try:
        connection.get("/jpip?cid=0&fsiz=64,64&rsiz=64,64&roff=0,0&len=1000")
    except Broken as error:
        if "404" in str(error):
            return "an unknown channel is refused with 404"
        raise
    raise Broken("an unknown channel is served")


check("JHelioviewer (re-created)", "HTTP/1.1", "its session, read as strictly as it does", session)
check("JHelioviewer (re-created)", "HTTP/1.1", "a channel that has gone", refusal)
