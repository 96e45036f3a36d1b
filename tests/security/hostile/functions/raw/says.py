"""What the liar answers, by name: pieces of bytes, or something that makes them."""

import itertools
import time

OK = b"HTTP/1.1 200 OK\r\n"
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
HEADERS = (
    b"X-Ffx-Revision: 99\r\nX-Ffx-Overflow: 1\r\nx-ffx-anything: 1\r\nX-Envoy-Overloaded: 1\r\nX-Envoy-Degraded: 1\r\n"
    b"X-Envoy-Upstream-Service-Time: 0\r\nFfx-Revision: 99\r\nFFX-REVISION: 98\r\nServer: mine\r\nX-Request-Id: mine\r\n"
    b'Server-Timing: ffx-start;dur=1, mine;dur=2\r\nService-Worker-Allowed: /\r\nClear-Site-Data: "*"\r\n'
    b'Strict-Transport-Security: max-age=99999999; includeSubDomains\r\nAlt-Svc: h2="evil.example:443"; ma=9999999\r\n'
    b'Public-Key-Pins: pin-sha256="x"; max-age=9999\r\nNEL: {"report_to":"x","max_age":9999}\r\nAccept-CH: DPR\r\n'
    b'Report-To: {"group":"x","max_age":9999,"endpoints":[{"url":"https://evil.example"}]}\r\n'
    b'Critical-CH: DPR\r\nOrigin-Agent-Cluster: ?1\r\nReporting-Endpoints: x="https://evil.example"\r\n'
    b"Set-Cookie: ffx_session=stolen; Path=/\r\nSet-Cookie: __Host-ffx-x=stolen; Secure; Path=/\r\n"
    b"Set-Cookie: __Secure-ffx=stolen; Secure\r\nSet-Cookie: FFX_token=stolen\r\nSet-Cookie: mine=1\r\n"
    b"Content-Security-Policy: default-src *\r\nConnection: keep-alive, X-Request-Id, Ffx-Revision, Content-Security-Policy\r\n"
    b"Keep-Alive: timeout=9999\r\nProxy-Authenticate: Basic realm=x\r\nProxy-Connection: keep-alive\r\nUpgrade: h2c\r\n"
    b"Trailer: Ffx-Revision\r\n"
)


def _forever(piece, pause_s=0.0):
    while True:
        yield piece
        if pause_s:
            time.sleep(pause_s)


SAYS = {
    "garbage": [b"this is not HTTP at all\r\n\r\n"],
    "binary": [bytes(range(256)) * 64],
    "nothing": [],
    "version": [b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n"],
    "version-2": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    "status-text": [b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"],
    "status-small": [b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n"],
    "status-large": [b"HTTP/1.1 1000 High\r\nContent-Length: 0\r\n\r\n"],
    "status-999": [b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"],
    "no-colon": [OK, b"nocolon\r\nContent-Length: 0\r\n\r\n"],
    "nul": [OK, b"a: b\0c\r\nContent-Length: 0\r\n\r\n"],
    "bare-cr": [OK, b"a: b\rFfx-Revision: 99\r\nContent-Length: 0\r\n\r\n"],
    "folded": [OK, b"a: b\r\n c: d\r\nContent-Length: 0\r\n\r\n"],
    "empty-name": [OK, b": b\r\nContent-Length: 0\r\n\r\n"],
    "giant-header": [OK, b"a: ", *([b"b" * 65536] * 64), b"\r\nContent-Length: 0\r\n\r\n"],
    "many-headers": [OK, b"".join(b"h%d: 1\r\n" % number for number in range(5000)), b"Content-Length: 0\r\n\r\n"],
    "endless-head": lambda: itertools.chain([OK], _forever(b"a: bcdefgh\r\n" * 1000)),
    "endless-100": lambda: itertools.chain(_forever(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)),
    "endless-103": lambda: itertools.chain(_forever(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000)),
    "unasked-101": [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"frame" * 100,
    ],
    "slow-head": lambda: itertools.chain([OK], _forever(b"a: b\r\n", 0.2)),
    "silence": lambda: _forever(b"", 0.2),
    "short": [OK, b"Content-Length: 1000\r\n\r\nshort"],
    "long": [OK, b"Content-Length: 5\r\n\r\nfirst", FORGED],
    "double": [OK, b"Content-Length: 5\r\n\r\nfirst", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", FORGED],
    "two-lengths": [OK, b"Content-Length: 5\r\nContent-Length: 50\r\n\r\nfirst", FORGED],
    "both-lengths": [OK, b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n", FORGED],
    "negative-length": [OK, b"Content-Length: -5\r\n\r\nfirst"],
    "plus-length": [OK, b"Content-Length: +5\r\n\r\nfirst"],
    "giant-length": [OK, b"Content-Length: 99999999999999999999999999\r\n\r\nfirst"],
    "chunk-giant": [OK, b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nfirst"],
    "chunk-text": [OK, b"Transfer-Encoding: chunked\r\n\r\nzz\r\nfirst\r\n0\r\n\r\n"],
    "chunk-long": [OK, b"Transfer-Encoding: chunked\r\n\r\n3\r\nfirst\r\n0\r\n\r\n"],
    "chunk-cut": [OK, b"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"],
    "chunk-extension": lambda: itertools.chain([OK, b"Transfer-Encoding: chunked\r\n\r\n5;"], _forever(b"x" * 9999)),
    "endless-trailers": lambda: itertools.chain(
        [OK, b"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n"], _forever(b"Ffx-Revision: 99\r\n" * 500)
    ),
    "codings": [OK, b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n"],
    "body-of-204": [b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nfirst", FORGED],
    "body-of-304": [b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nfirst", FORGED],
    "overflow": [b"HTTP/1.1 429 Full\r\nX-Ffx-Overflow: 1\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"],
    "overflow-endless": lambda: itertools.chain(
        [b"HTTP/1.1 429 Full\r\nX-Ffx-Overflow: 1\r\nTransfer-Encoding: chunked\r\n\r\n"], _forever(b"1\r\nx\r\n", 0.1)
    ),
    "endless-body": lambda: itertools.chain([OK, b"\r\n"], _forever(b"x" * 65536)),
    "endless-chunks": lambda: itertools.chain(
        [OK, b"Transfer-Encoding: chunked\r\n\r\n"], _forever(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    ),
    "headers": [OK, HEADERS, b"Content-Length: 2\r\n\r\nok"],
    "fine": [OK, b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"],
}
