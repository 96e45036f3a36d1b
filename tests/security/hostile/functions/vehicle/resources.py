"""Attacks on what there is only so much of. Each tells how far it came."""

# ruff: noqa: SIM115, S606 - an attack does what is not done

import os
import signal
import socket
import struct
import sys
import time

PIECE = b"x" * 65536
_SO_MEMINFO = 55


def disk(tally, places):
    """Fill every place that can be written, in large files and in one with a hole."""
    for place in places:
        written = 0
        try:
            for number in range(1000):
                with open(f"{place}/fill-{number}", "wb", buffering=0) as file:
                    for _ in range(16 * 64):
                        written += file.write(PIECE)
        except OSError as error:
            tally.refused[place] = error.strerror
        tally.saw[place] = written
        for number in range(1000):
            try:
                os.unlink(f"{place}/fill-{number}")
            except OSError:
                break


def inodes(tally, most):
    """Empty files, which take no space."""
    os.makedirs("/tmp/many", exist_ok=True)
    made = 0
    try:
        for made in range(most):
            os.close(os.open(f"/tmp/many/{made}", os.O_CREAT | os.O_WRONLY))
    except OSError as error:
        tally.refused["files"] = error.strerror
    tally.saw["made"] = made


def memory(tally):
    kept = []
    while True:
        kept.append(bytearray(PIECE) * 64)


def descriptors(tally):
    kept = []
    try:
        while len(kept) < 200_000:
            kept.append(os.dup(0))
    except OSError as error:
        tally.refused["descriptors"] = error.strerror
    tally.saw["descriptors"] = len(kept)


def forks(tally):
    """As many as there can be, each of which forks as well; then all are let go."""
    made, refused = [], None
    while len(made) < 5000:
        try:
            pid = os.fork()
        except OSError as error:
            refused = error.strerror
            break
        if pid == 0:
            while True:
                try:
                    if os.fork() == 0:
                        time.sleep(60)
                except OSError:
                    time.sleep(60)
        made.append(pid)
    tally.saw["made"] = len(made)
    tally.saw["all"] = sum(name.isdigit() for name in os.listdir("/proc"))
    if refused:
        tally.refused["fork"] = refused
    own = os.getpid()
    parents = {os.getppid(), 1, own}
    for _ in range(20):
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) not in parents:
                try:
                    with open(f"/proc/{name}/cmdline", "rb") as file:
                        ours = b"run.py" in file.read() and b"forks" in open(f"/proc/{name}/cmdline", "rb").read()
                    if ours:
                        os.kill(int(name), signal.SIGKILL)
                except OSError:
                    continue
    for pid in made:
        os.waitpid(pid, 0)


def orphans(tally, count):
    """Processes that outlive the call, deaf to every signal, and zombies whose parent never looks."""
    for number in range(count):
        if os.fork() == 0:
            os.setsid()
            for one in range(1, 65):
                try:
                    signal.signal(one, signal.SIG_IGN)
                except (OSError, ValueError):
                    continue
            null = os.open("/dev/null", os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            os.execv(
                sys.executable, [sys.executable, "-c", "import time\nwhile True: time.sleep(1000)", f"orphan-{number}"]
            )
    tally.saw["left"] = count
    tally.refused["stay"] = "until the instance ends"


def sockets(tally):
    """Kernel memory that is nobody's: the buffers of sockets that nobody reads."""
    held, pairs = 0, []
    try:
        while held < 1 << 31:
            pairs.append(socket.socketpair())
            pairs[-1][0].setblocking(False)
            try:
                while True:
                    held += pairs[-1][0].send(PIECE)
            except BlockingIOError:
                continue
    except OSError as error:
        tally.refused["sockets"] = error.strerror
    tally.saw["bytes"] = held


def _held(sockets):
    """What the kernel keeps for them, its own overhead with it: received and not read, sent and not taken."""
    found = 0
    for one in sockets:
        words = struct.unpack("9I", one.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))
        found += words[0] + words[5]
    return found


def tcp(tally):
    """The same by connections of its own loopback: megabytes each."""
    kept = [socket.create_server(("127.0.0.1", 0), backlog=120)]
    try:
        for _ in range(120):
            kept.append(socket.create_connection(kept[0].getsockname(), 5))
            kept.append(kept[0].accept()[0])
            for end in kept[-2:]:
                end.settimeout(0.02)  # long enough for what was sent to reach the other end's buffer
                try:
                    while True:
                        end.send(PIECE)
                except TimeoutError:
                    continue
        tally.refused["tcp"] = "to send more"
    except OSError as error:
        tally.refused["tcp"] = error.strerror or str(error)
    tally.saw["bytes"] = _held(kept)


def udp(tally):
    """The same by datagrams; what does not fit is dropped."""
    kept, sender = [], socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        while True:
            kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            kept[-1].bind(("127.0.0.1", 0))
            for _ in range(8):
                sender.sendto(PIECE[:60_000], kept[-1].getsockname())
    except OSError as error:
        tally.refused["udp"] = error.strerror
    tally.saw["bytes"] = _held(kept)


def stdout(tally, seconds, text="y\n"):
    """As much output as a pipe takes."""
    piece = (text * (65536 // len(text) + 1)).encode()[:65536]
    end, written = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        written += os.write(2, piece)
    tally.saw["bytes"] = written
    tally.refused["all of it"] = "told by the log"


def burn(tally, seconds, workers):
    """Every core, by as many processes as there may be."""
    end = time.monotonic() + seconds
    made = []
    try:
        for _ in range(workers):
            pid = os.fork()
            if pid == 0:
                while time.monotonic() < end:
                    pass
                os._exit(0)
            made.append(pid)
    except OSError as error:
        tally.refused["fork"] = error.strerror
    for pid in made:
        os.waitpid(pid, 0)
    tally.saw["workers"] = len(made)


def rewrite(tally, seconds):
    """Write, sync and remove without pause."""
    end, written = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            with open("/tmp/again", "wb", buffering=0) as file:
                for _ in range(64):
                    written += file.write(PIECE)
                os.fsync(file.fileno())
        except OSError as error:
            tally.refused["write"] = error.strerror
        os.sync()
    tally.saw["bytes"] = written


def hoard(tally, seconds, mib):
    """Memory up to the limit, touched again and again."""
    kept = bytearray(mib * 1024 * 1024)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for at in range(0, len(kept), 4096):
            kept[at] = (kept[at] + 1) & 255
        more = [bytearray(1 << 20) for _ in range(8)]
        del more
    tally.saw["mib"] = mib
