#!/usr/bin/env python3
"""OpenJPEG's opj_jpip_transcode (Debian's libopenjpip-dec-server) makes a file of what our server sends.

It does so with JPT-streams. With JPP-streams it ends with a segmentation fault, whether they come from here or, as recorded,
from esajpip; those of OpenJPEG's own server it takes.
"""

import os
import shutil
import subprocess

from jpp import Broken, check, environment, row

WAVETILE, SHARED, OUT, HTTP = environment("WAVETILE", "SHARED", "OUT", "HTTP")
TRANSCODE = "opj_jpip_transcode"


def pixels(source, name):
    path = os.path.join(OUT, name)
    subprocess.run([WAVETILE, "decode", source, "-o", path, "--space", "components", "--backend", "cpu"], check=True,
                   stdout=subprocess.DEVNULL)
    with open(path, "rb") as file:
        return file.read()


def transcode(name):
    stream, picture = os.path.join(OUT, f"{name}.jpt"), os.path.join(OUT, f"{name}.j2k")
    url = f"http://127.0.0.1:{HTTP}/{name}?fsiz=1000,700&rsiz=1000,700&roff=0,0&type=jpt-stream&len=99999999"
    subprocess.run(["curl", "-sSgf", "--max-time", "60", "-o", stream, url], check=True)
    subprocess.run([TRANSCODE, stream, picture], check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    there, here = pixels(picture, "there.i32"), pixels(os.path.join(SHARED, "interop", name), "here.i32")
    if there != here:
        raise Broken("other pixels")
    return f"{os.path.getsize(picture)} bytes, pixels as of the file"


if shutil.which(TRANSCODE) is None:
    subprocess.run(["apt-get", "install", "-y", "-qq", "libopenjpip-dec-server"], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
if shutil.which(TRANSCODE) is None or shutil.which("curl") is None:
    row("opj_jpip_transcode", "HTTP/1.1", "JPT-stream", "skipped", "it or curl cannot be installed")
else:
    for name in ["one3.jp2", "tiled4.jp2"]:
        check("opj_jpip_transcode", "HTTP/1.1", f"JPT-stream of {name}", lambda: transcode(name))
