"""HTTP CONNECT as a client: through the egress Envoy, and through a proxy of the machine's."""

from __future__ import annotations

import h11

from faasioflex.gateway.egress.pipe import PIECE_BYTES, Stream

_NO_BODY_LONGER = 16 * 1024


class Refused(Exception):
    """The other side answered something else than 200; ``status`` is what."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


async def connect(stream: Stream, target: str, headers: dict[str, str]) -> None:
    """Have ``stream`` lead to ``target`` (``host:port``).

    Raises: Refused, OSError where it ends or answers no HTTP.
    """
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=_NO_BODY_LONGER)
    request = h11.Request(method="CONNECT", target=target, headers=[("Host", target), *headers.items()])
    stream.writer.write(client.send(request) + client.send(h11.EndOfMessage()))
    try:
        while True:
            event = client.next_event()
            if event is h11.NEED_DATA:
                client.receive_data(await stream.reader.read(PIECE_BYTES))
            elif isinstance(event, h11.Response):
                break
            elif not isinstance(event, h11.InformationalResponse):
                raise OSError("the proxy ended the connection")
    except h11.RemoteProtocolError as error:
        raise OSError(f"the proxy answers no HTTP: {error}") from error
    if event.status_code != 200:
        raise Refused(event.status_code)
    left, _ = client.trailing_data
    stream.reader.feed_data(left)
