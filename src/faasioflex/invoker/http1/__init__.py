"""The invoker's side of HTTP/1.1 towards instances.

Our own and small, because a repeated call must not run twice: it says whether a byte of a request has left, holds a body back
until the instance asked for it, keeps the request target as it came, and hands the bare connection over for WebSockets.
"""
