"""Run by python.py, where its libraries are."""

import asyncio
import re
import ssl

import websockets
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

from jpp import Bins, Broken, check, environment, recorded

H3, HTTP = environment("H3", "HTTP")
WHOLE = "fsiz=1000,700&rsiz=1000,700&roff=0,0&stream=0"
WINDOWS = ["fsiz=64,64,closest&rsiz=64,64&roff=0,0&stream=0", WHOLE + "&len=20000", WHOLE]


class Http3(QuicConnectionProtocol):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.http = H3Connection(self._quic)
        self.answers = {}

    def quic_event_received(self, event):
        for found in self.http.handle_event(event):
            answer = self.answers.get(getattr(found, "stream_id", None))
            if answer is None:
                continue
            if isinstance(found, HeadersReceived):
                answer["head"].update((name.decode(), value.decode()) for name, value in found.headers)
            elif isinstance(found, DataReceived):
                answer["body"] += found.data
                answer["pieces"] += bool(found.data)
            if found.stream_ended and not answer["done"].done():
                answer["done"].set_result(None)

    async def get(self, target):
        stream = self._quic.get_next_available_stream_id()
        answer = {"head": {}, "body": b"", "pieces": 0, "done": asyncio.get_running_loop().create_future()}
        self.answers[stream] = answer
        fields = [(":method", "GET"), (":scheme", "https"), (":authority", f"127.0.0.1:{H3}"), (":path", target)]
        self.http.send_headers(stream, [(name.encode(), value.encode()) for name, value in fields], end_stream=True)
        self.transmit()
        await asyncio.wait_for(answer["done"], 60)
        if answer["head"][":status"] != "200":
            raise Broken(f"status {answer['head'][':status']}")
        return answer


def windows_of(bins, fields):
    bins.cid = re.search(r"cid=([^,]+)", fields["jpip-cnew"]).group(1)
    bins.path = re.search(r"path=([^,]+)", fields["jpip-cnew"]).group(1)


async def over_http3():
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE)
    async with connect("127.0.0.1", int(H3), configuration=configuration, create_protocol=Http3) as http:
        bins = Bins()
        answer = await http.get("/one3.jp2?cnew=h3&type=jpp-stream&tid=0")
        bins.add(answer["body"])
        windows_of(bins, answer["head"])
        pieces = 0
        for window in WINDOWS:
            reason = 4
            while reason == 4:
                answer = await http.get(f"/{bins.path}?{window}&cid={bins.cid}")
                pieces = max(pieces, answer["pieces"])
                reason = bins.add(answer["body"])
        if bins.duplicate:
            raise Broken(f"{bins.duplicate} bytes came twice")
        return f"{bins.compare(recorded('esajpip1_one3'))} bins identical, answers of up to {pieces} pieces, none twice"


async def over_websocket():
    async with websockets.connect(f"ws://127.0.0.1:{HTTP}/", subprotocols=["jpip.1"], max_size=None) as socket:
        number = 0

        async def ask(target):
            nonlocal number
            number += 1
            await socket.send(f"{number} {target}")
            head, *lines = (await asyncio.wait_for(socket.recv(), 30)).split("\n")
            if head != f"{number} 200":
                raise Broken(head)
            body = b""
            while isinstance(piece := await asyncio.wait_for(socket.recv(), 30), bytes):
                if int.from_bytes(piece[:4], "big") != number:
                    raise Broken("a piece of another answer")
                body += piece[4:]
            if piece != f"{number} end":
                raise Broken(piece)
            return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body

        bins = Bins()
        fields, body = await ask("/one3.jp2?cnew=ws&type=jpp-stream&tid=0")
        bins.add(body)
        windows_of(bins, fields)
        for window in WINDOWS:
            reason = 4
            while reason == 4:
                reason = bins.add((await ask(f"/{bins.path}?{window}&cid={bins.cid}"))[1])
        if bins.duplicate:
            raise Broken(f"{bins.duplicate} bytes came twice")
        return f"{bins.compare(recorded('esajpip1_one3'))} bins identical, none twice"


check("aioquic", "HTTP/3", "session: headers, thumbnail, 20 kB at a time, all", lambda: asyncio.run(over_http3()))
check("websockets (Python)", "WebSocket", "session: headers, thumbnail, 20 kB at a time, all", lambda: asyncio.run(over_websocket()))
