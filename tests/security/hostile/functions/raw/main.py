"""A function that is not what it says: it takes the place of the runtime and speaks HTTP as it likes."""

import json
import os
import socket
import threading

from says import FORGED, SAYS


def _serve(connection):
    with connection:
        try:
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    head += piece
                name = head.split(b" ")[1].decode().strip("/").partition("?")[0]
                if not name:  # by execute: the payload says it
                    name = json.loads(head.split(b"\r\n\r\n", 1)[1] or connection.recv(65536))["say"]
                what = SAYS[name]
                for piece in what() if callable(what) else what:
                    connection.sendall(piece)
                if name not in ("fine", "headers", "overflow", "long", "double"):
                    return
        except OSError:
            return


def _take_over():
    listener = socket.socket(fileno=os.dup(3))
    os.write(4, b'{"ready": true}\n')
    while True:
        connection, _ = listener.accept()
        connection.setblocking(True)
        if os.environ.get("SPEAKS_FIRST"):
            connection.sendall(FORGED)
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


try:
    os.fstat(3)
except OSError:
    pass  # the check of a build
else:
    _take_over()


def handle(event, context):
    return None
