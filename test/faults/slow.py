"""An upload that takes its time, by a client that sends it once, or goes away in the middle. Runs in the pod of the clients."""

import hashlib
import http.client
import json
import os
import select
import socket
import struct
import sys
import time
import urllib.parse

from journal import URI, Journal

PIECES = 200


def pieces(content):
    size = -(-len(content) // PIECES)
    return [content[start : start + size] for start in range(0, len(content), size)]


def may_end():
    """Whether there is a line, which is waited for for a second."""
    return bool(select.select([sys.stdin], [], [], 1)[0])


def upload(path, seconds, mebibytes, part, held=""):
    """Gives what came of it, with the digest of the whole; `part` of it is sent before the connection is broken off.

    One that is held goes on byte by byte at its end, until it is told to end.
    """
    content = os.urandom(int(float(mebibytes) * 2**20))
    sent, start = content[: int(len(content) * float(part))], time.time()
    found = {"path": path, "sha256": hashlib.sha256(content).hexdigest()}
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(URI).netloc, timeout=150)
    try:
        connection.putrequest("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{path}")
        connection.putheader("Content-Length", str(len(content)))
        connection.endheaders()
        print("begun", flush=True)
        *most, last = pieces(sent)
        for piece in most:
            connection.send(piece)
            time.sleep(float(seconds) / PIECES)
        while held and len(last) > 1 and not may_end():
            connection.send(last[:1])
            last = last[1:]
        connection.send(last)
        if len(sent) < len(content):
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return found
        answer = connection.getresponse()
        found |= {"status": answer.status, "answer": answer.read(300).decode(errors="replace")}
    except (OSError, http.client.HTTPException) as error:
        found |= {"status": 0, "answer": repr(error)}
    told = (
        {"acknowledged": True, "files": {path: found["sha256"]}}
        if found["status"] == 200
        else {"error": f"{found['status']} {found['answer']}"}
    )
    # the kind that is read back, by its digest
    Journal("probe-slow").write(kind="slow", steady=False, start=start, end=time.time(), **told)
    return found


print(json.dumps(upload(*sys.argv[1:])))
