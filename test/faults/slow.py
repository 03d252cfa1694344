"""An upload that takes its time, by a client that sends it once, or goes away in the middle. Runs in the pod of the clients."""

import hashlib
import http.client
import json
import os
import socket
import struct
import sys
import time
import urllib.parse

from journal import URI, Journal

PIECES = 200


def paced(content, seconds):
    size = -(-len(content) // PIECES)
    for start in range(0, len(content), size):
        yield content[start : start + size]
        time.sleep(seconds / PIECES)


def upload(path, seconds, mebibytes, part):
    """Gives what came of it, with the digest of the whole; `part` of it is sent before the connection is broken off."""
    content = os.urandom(int(float(mebibytes) * 2**20))
    sent, start = content[: int(len(content) * float(part))], time.time()
    found = {"path": path, "sha256": hashlib.sha256(content).hexdigest()}
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(URI).netloc, timeout=150)
    try:
        connection.putrequest("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{path}")
        connection.putheader("Content-Length", str(len(content)))
        connection.endheaders()
        print("begun", flush=True)
        for piece in paced(sent, float(seconds)):
            connection.send(piece)
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
