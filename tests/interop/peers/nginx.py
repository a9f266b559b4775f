#!/usr/bin/env python3
"""nginx with nothing but files (Debian's nginx-light), with Wavetile as its client: ranges of bytes instead of JPIP."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request

from jpp import Broken, check, environment, row

WAVETILE, OUT = environment("WAVETILE", "OUT")
ASSETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "program", "assets")
NAME = "mandelbrot.jp2"
# An overview, and a place at full size.
VIEWS = [["--reduce", "4"], ["--region", "3000,3000,1000,700"]]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program():
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin")


def start(folder, line):
    """nginx with `line` in its configuration; its process and port."""
    os.makedirs(folder)
    port = free_port()
    configuration = os.path.join(folder, "nginx.conf")
    with open(configuration, "w") as file:
        file.write(f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {os.path.realpath(ASSETS)}; {line} }}
}}
""")
    server = subprocess.Popen([program(), "-e", os.path.join(folder, "error.log"), "-c", configuration])
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/{NAME}").read(1)
            return server, port
        except OSError:
            time.sleep(0.05)
    server.terminate()
    raise Broken("nginx does not start")


def wavetile(*arguments):
    return subprocess.run([WAVETILE, *arguments], stdout=subprocess.PIPE, check=True).stdout


def pixels(target, view, name):
    path = os.path.join(OUT, name)
    wavetile("decode", target, "-o", path, "--backend", "cpu", *view)
    with open(path, "rb") as file:
        return file.read()


def session(name, line, most):
    server, port = start(os.path.join(OUT, name), line)
    try:
        url, local = f"http://127.0.0.1:{port}/{NAME}", os.path.join(ASSETS, NAME)
        requests = []
        for view in VIEWS:
            if pixels(url, view, "far.ppm") != pixels(local, view, "near.ppm"):
                raise Broken(f"other pixels with {view}")
            ledger = json.loads(wavetile("fetch", url, "--json", *view))
            if ledger["duplicate"] or not ledger["road"].startswith("ranges"):
                raise Broken(str(ledger))
            requests.append((ledger["requests"], ledger["received"]))
        if max(count for count, _ in requests) > most:
            raise Broken(f"{requests} requests and bytes")
        return "pixels as from the file; overview and region: " + ", ".join(f"{n} requests, {b} bytes" for n, b in requests)
    finally:
        server.terminate()
        server.wait()


if program() is None:
    subprocess.run(["apt-get", "install", "-y", "-qq", "nginx-light"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
if program() is None:
    row("nginx", "HTTP/1.1", "byte ranges", "skipped", "Debian's nginx-light cannot be installed")
else:
    check("nginx", "HTTP/1.1", "byte ranges", lambda: session("several", "", 6))
    check("nginx", "HTTP/1.1", "byte ranges, one at a time (max_ranges 1)", lambda: session("one", "max_ranges 1;", 20))
    check("nginx", "HTTP/1.1", "no byte ranges (max_ranges 0)", lambda: session("none", "max_ranges 0;", 1))
