"""The exec runtime: a program per call, the body on its stdin, the answer on its stdout."""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import sys
from typing import TYPE_CHECKING

from ffx_runtime.child import Child, start
from ffx_runtime.exchange import Disconnected
from ffx_runtime.program import Program
from ffx_runtime.report import LONGEST_LINE
from ffx_runtime.style import Style, failure, trace

if TYPE_CHECKING:
    from ffx_runtime.exchange import Exchange
    from ffx_runtime.server import Server

HOLD_BYTES = 64 * 1024  # of output, before the answer begins
HOLD_S = 0.2  # after the first output, before the answer begins
CHUNK = 64 * 1024
_GIVEN = {
    b"traceparent": "TRACEPARENT",
    b"x-ffx-user": "FFX_PRINCIPAL_USER",
    b"x-ffx-groups": "FFX_PRINCIPAL_GROUPS",
    b"x-ffx-email": "FFX_PRINCIPAL_EMAIL",
}


class ExecStyle(Style):
    streams_request = True

    def __init__(self, server: Server, program: Program) -> None:
        super().__init__(server)
        self.program = program

    async def startup(self) -> None:
        if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):
            watcher = asyncio.PidfdChildWatcher()  # the default there is a thread per process
            watcher.attach_loop(self.server.loop)
            asyncio.set_child_watcher(watcher)

    def begin(self, exchange: Exchange) -> None:
        ExecCall(self, exchange)


class ExecCall:
    """One run of the program."""

    def __init__(self, style: ExecStyle, exchange: Exchange) -> None:
        self._style = style
        self._exchange = exchange
        self._child: Child | None = None
        exchange.work = self
        self.task = style.server.loop.create_task(self._run())

    def cancel(self) -> None:
        self._kill()
        self.task.cancel()

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    async def _run(self) -> None:
        exchange = self._exchange
        helpers: list[asyncio.Task[None]] = []
        try:
            child, stdin = await self._start()
            loop = self._style.server.loop
            helpers = [loop.create_task(self._feed(stdin)), loop.create_task(self._log(child.stderr))]
            helpers.append(loop.create_task(self._ended(child)))
            await self._answer(child)
            await asyncio.gather(*helpers[1:])
        except asyncio.CancelledError:
            self._say("the call was cancelled: its program was killed")
        except OSError as error:
            exchange.refuse("function-error", f"the program could not be started: {error.strerror or error}")
            self._say(f"the program could not be started: {error}")
        except Exception as error:
            exchange.refuse("function-error", failure(error))
            self._say(trace(error))
        finally:
            self._kill()
            for helper in helpers:
                helper.cancel()
            if self._child is not None:
                await self._child.exited()
                self._child.close()
            exchange.end_work()

    async def _start(self) -> tuple[Child, int]:
        read_end, write_end = os.pipe()  # asyncio would take a socket, which programs cannot open as /dev/stdin
        try:
            self._child = await start(
                self._style.program.argv,
                stdin=read_end,
                cwd=self._style.server.settings.code,
                env=self._environment(),
            )
        except BaseException:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
        return self._child, write_end

    def _environment(self) -> dict[str, str]:
        """The instance's own, and the request."""
        exchange = self._exchange
        found = dict(os.environ)
        found |= {
            "FFX_METHOD": exchange.method,
            "FFX_PATH": exchange.path.decode("latin-1"),
            "FFX_QUERY": exchange.query.decode("latin-1"),
            "FFX_REQUEST_ID": exchange.request_id,
            "FFX_TIMEOUT_S": f"{exchange.timeout_s:g}",
        }
        for name, key in _GIVEN.items():
            if exchange.platform.get(name):
                found[key] = exchange.platform[name].decode("latin-1")
        for header, value in exchange.headers:
            key = "FFX_HEADER_" + header.decode("latin-1").upper().replace("-", "_")
            text = value.decode("latin-1")
            found[key] = f"{found[key]}, {text}" if key in found else text
        return found

    async def _feed(self, stdin: int) -> None:
        """The request's body to the program; one that does not read it is no error."""
        loop = self._style.server.loop
        pipe = open(stdin, "wb", buffering=0)  # noqa: SIM115 (the transport closes it)
        transport, protocol = await loop.connect_write_pipe(lambda: asyncio.streams.FlowControlMixin(loop=loop), pipe)
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        try:
            while data := await self._exchange.read():
                writer.write(data)
                await writer.drain()
        except (Disconnected, ConnectionError):
            return
        finally:
            transport.close()

    async def _log(self, stderr: asyncio.StreamReader) -> None:
        """Lines of stderr, with the request id."""
        rest = b""
        while data := await stderr.read(CHUNK):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines.append(rest)
                rest = b""
            for line in lines:
                self._say(line.decode("utf-8", "backslashreplace"))
        if rest:
            self._say(rest.decode("utf-8", "backslashreplace"))

    async def _ended(self, child: Child) -> None:
        """What the program leaves behind would keep the answer open."""
        if await child.settle():
            self._say(
                "the program ended and left a process behind that held its output: that was killed; `wait` for it"
            )

    async def _answer(self, child: Child) -> None:
        exchange = self._exchange
        held, at_end = await self._hold(child.stdout)
        if at_end:
            code = await child.exited()
            if code != 0:
                exchange.refuse("function-error", f"the program {_ending(code)}: its log may say why")
                self._say(f"the program {_ending(code)}")
            else:
                exchange.answer(200, b"content-type: %b\r\n" % _type(held, whole=True), held)
            return
        exchange.start(200, b"content-type: %b\r\n" % _type(held, whole=False), None, held)
        while data := await child.stdout.read(CHUNK):
            exchange.write(data)
            await exchange.connection.writable()
        code = await child.exited()
        if code != 0:
            self._say(f"the program {_ending(code)}")
            exchange.refuse("function-error", "the program failed")  # its answer is cut
        else:
            exchange.finish()

    async def _hold(self, stdout: asyncio.StreamReader) -> tuple[bytes, bool]:
        """The output's beginning, and whether that is all of it. The program's exit code still decides about a short one."""
        held = await stdout.read(CHUNK)
        if not held:
            return b"", True
        end = self._style.server.loop.time() + HOLD_S
        while len(held) < HOLD_BYTES:
            try:
                async with asyncio.timeout_at(end):
                    data = await stdout.read(CHUNK)
            except TimeoutError:
                return held, False
            if not data:
                return held, True
            held += data
        return held, False

    def _say(self, line: str) -> None:
        self._style.server.report.line("stderr", line, self._exchange.request_id)


def _ending(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"exited with {code}"


def _type(data: bytes, *, whole: bool) -> bytes:
    """JSON where a short answer is, else text where it is UTF-8 (as far as it is known), else bytes."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=whole)
    except UnicodeDecodeError:
        return b"application/octet-stream"
    if whole:
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            return b"text/plain; charset=utf-8"
        return b"application/json"
    return b"text/plain; charset=utf-8"
