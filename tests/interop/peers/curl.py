#!/usr/bin/env python3
"""curl over HTTP/1.1 and, encrypted, HTTP/2: a session of windows against the bins recorded from another server."""

import os
import re
import shutil
import subprocess

from jpp import Bins, Broken, check, environment, recorded, row

HTTP, OUT = environment("HTTP", "OUT")
WHOLE = "fsiz=1000,700&rsiz=1000,700&roff=0,0&stream=0"


def get(url, *options):
    head, body = os.path.join(OUT, "head"), os.path.join(OUT, "body")
    subprocess.run(["curl", "-sSgf", "--max-time", "60", "-D", head, "-o", body, *options, url], check=True)
    with open(head, encoding="latin-1") as file:
        fields = dict(line.rstrip().split(": ", 1) for line in file if ": " in line)
    with open(body, "rb") as file:
        return fields, file.read()


def session(base, *options, version="1.1"):
    bins = Bins()
    fields, body = get(f"{base}/one3.jp2?cnew=http&type=jpp-stream&tid=0&len=512", *options)
    fields = {name.lower(): value for name, value in fields.items()}
    with open(os.path.join(OUT, "head"), encoding="latin-1") as file:
        spoken = file.read().split(" ")[0]
    if spoken != f"HTTP/{version}":
        raise Broken(f"{spoken} is spoken")
    bins.add(body)
    cid = re.search(r"cid=([^,]+)", fields["jpip-cnew"]).group(1)
    path = re.search(r"path=([^,]+)", fields["jpip-cnew"]).group(1)
    for window in ["fsiz=64,64,closest&rsiz=64,64&roff=0,0&stream=0&len=2097152", WHOLE + "&len=20000", WHOLE]:
        reason = 4
        while reason == 4:
            reason = bins.add(get(f"{base}/{path}?{window}&cid={cid}", *options)[1])
    same = bins.compare(recorded("esajpip1_one3"))
    if bins.duplicate:
        raise Broken(f"{bins.duplicate} bytes came twice")
    get(f"{base}/{path}?cid={cid}&cclose={cid}&len=0", *options)
    return f"{same} bins identical to the recorded, {bins.payload} bytes, none twice"


def post():
    bins = Bins()
    bins.add(get(f"http://127.0.0.1:{HTTP}/one3.jp2", "--data", WHOLE + "&type=jpp-stream")[1])
    return f"{bins.compare(recorded('esajpip1_one3'))} bins identical"


def tiled():
    bins = Bins()
    bins.add(get(f"http://127.0.0.1:{HTTP}/tiled4.j2c?{WHOLE}&type=jpp-stream")[1])
    return f"{bins.compare(recorded('openhtj2k_tiled4'))} bins identical"


if shutil.which("curl") is None:
    row("curl", "HTTP/1.1", "session", "skipped", "curl is not installed")
else:
    check("curl", "HTTP/1.1", "session: headers, thumbnail, 20 kB at a time, all", lambda: session(f"http://127.0.0.1:{HTTP}"))
    check("curl", "HTTP/1.1", "POST, stateless", post)
    check("curl", "HTTP/1.1", "12 tiles, stateless", tiled)
    secure = f"https://127.0.0.1:{HTTP}"
    check("curl", "HTTP/2", "session", lambda: session(secure, "-k", "--http2", version="2"))
    check("curl", "HTTP/1.1 in TLS", "session", lambda: session(secure, "-k", "--http1.1"))
