#!/usr/bin/env python3
"""ngtcp2's example client (`gtlsclient`, Debian's ngtcp2-client) over HTTP/3."""

import glob
import os
import shutil
import subprocess

from jpp import Bins, check, environment, recorded, row

H3, OUT = environment("H3", "OUT")
PEER = ("gtlsclient", "HTTP/3", "a whole picture, stateless")

if shutil.which("gtlsclient") is None and os.geteuid() == 0:
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "ngtcp2-client"]
    subprocess.run(command, capture_output=True, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))


def fetch():
    target = f"https://127.0.0.1:{H3}/one3.jp2?fsiz=1000,700&rsiz=1000,700&roff=0,0&stream=0&type=jpp-stream"
    command = ["gtlsclient", "-q", "--exit-on-all-streams-close", f"--download={OUT}", "127.0.0.1", H3, target]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    files = [path for path in glob.glob(os.path.join(OUT, "*")) if os.path.isfile(path)]
    bins = Bins()
    with open(files[0], "rb") as file:
        bins.add(file.read())
    return f"{bins.compare(recorded('esajpip1_one3'))} bins identical"


if shutil.which("gtlsclient") is None:
    row(*PEER, "skipped", "ngtcp2-client cannot be installed")
else:
    check(*PEER, fetch)
