#!/usr/bin/env python3
"""OpenJPIP's server (Debian's libopenjpip-server, behind nginx) with Wavetile as its client."""

import os
import shutil
import socket
import subprocess
import time

from jpp import Broken, check, environment, row

WAVETILE, SHARED, OUT = environment("WAVETILE", "SHARED", "OUT")
PACKAGES = {"opj_server": "libopenjpip-server", "nginx": "nginx-light", "spawn-fcgi": "spawn-fcgi"}
PICTURES = ["o15_one3.jp2", "o15_tiled4.jp2"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin")


def start(name):
    """opj_server and nginx; the port of nginx."""
    os.symlink(os.path.join(SHARED, "interop", name), os.path.join(OUT, name))
    fast, port = free_port(), free_port()
    configuration = os.path.join(OUT, "nginx.conf")
    with open(configuration, "w") as file:
        file.write(f"""
daemon off; pid {OUT}/pid; error_log {OUT}/error.log; events {{}}
http {{
  access_log {OUT}/access.log; client_body_temp_path {OUT}/b; proxy_temp_path {OUT}/p; fastcgi_temp_path {OUT}/f;
  uwsgi_temp_path {OUT}/u; scgi_temp_path {OUT}/s;
  server {{
    listen 127.0.0.1:{port};
    location ~ ^/(.*)$ {{
      fastcgi_pass 127.0.0.1:{fast}; fastcgi_param QUERY_STRING target=$1&$args; fastcgi_param REQUEST_METHOD GET;
    }}
    location = /jpip {{
      fastcgi_pass 127.0.0.1:{fast}; fastcgi_param QUERY_STRING $args; fastcgi_param REQUEST_METHOD GET;
    }}
  }}
}}
""")
    server = subprocess.Popen([program("spawn-fcgi"), "-n", "-a", "127.0.0.1", "-p", str(fast), "--", program("opj_server")],
                              cwd=OUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    front = subprocess.Popen([program("nginx"), "-c", configuration, "-p", OUT], stderr=subprocess.DEVNULL)
    for _ in range(100):
        time.sleep(0.1)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server, front, port
    raise Broken("the server does not start")


def decode(target, name, *options):
    path = os.path.join(OUT, name)
    done = subprocess.run([WAVETILE, "decode", target, "-o", path, "--backend", "cpu", *options], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Broken(f"wavetile decode {target}: {done.stderr.strip()[-300:]}")
    with open(path, "rb") as file:
        return file.read()


def same(port, name, *options):
    remote = decode(f"http://127.0.0.1:{port}/{name}", "remote.ppm", *options)
    if remote != decode(os.path.join(SHARED, "interop", name), "local.ppm", *options):
        raise Broken("the picture differs from the one that the file gives")
    return f"{len(remote)} bytes of pixels, as from the file"


for tool, package in PACKAGES.items():
    if program(tool) is None and os.geteuid() == 0:
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
        subprocess.run(command, capture_output=True, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
missing = [package for tool, package in PACKAGES.items() if program(tool) is None]
if missing:
    row("OpenJPIP server", "HTTP/1.1", "whole pictures", "skipped", f"{', '.join(missing)} cannot be installed")
else:
    for name in PICTURES:
        # One server each: it gives its second picture out as codestream 1 of the first.
        try:
            server, front, port = start(name)
        except (Broken, OSError) as error:
            # It is there; in CI it has to run.
            excused = os.environ.get("CI", "") in ("", "false")
            row("OpenJPIP server", "HTTP/1.1", name, "skipped" if excused else "fail", error)
            continue
        try:
            check("OpenJPIP server", "HTTP/1.1", f"{name}, whole", lambda: same(port, name))
            check("OpenJPIP server", "HTTP/1.1", f"{name}, a quarter of the size", lambda: same(port, name, "--reduce", "2"))
        finally:
            front.terminate()
            server.terminate()
            front.wait()
            server.wait()
