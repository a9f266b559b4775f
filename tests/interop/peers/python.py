#!/usr/bin/env python3
"""aioquic over HTTP/3 and `websockets` over WebSocket, from PyPI, in an environment of their own."""

import os
import subprocess
import sys

from jpp import environment, row

OUT, = environment("OUT")
venv = os.path.join(OUT, "venv")
try:
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, capture_output=True)
    pip = [os.path.join(venv, "bin", "pip"), "install", "-q", "--disable-pip-version-check", "aioquic", "websockets"]
    subprocess.run(pip, check=True, capture_output=True, timeout=150)
except (subprocess.SubprocessError, OSError) as error:
    said = getattr(error, "stderr", b"") or b""
    for peer, road in [("aioquic", "HTTP/3"), ("websockets", "WebSocket")]:
        row(peer, road, "session", "skipped", f"cannot be installed: {said.decode(errors='replace').strip()[-120:] or error}")
    sys.exit(0)
client = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python_clients.py")
sys.exit(subprocess.run([os.path.join(venv, "bin", "python"), client]).returncode)
