"""Attacks on what can be seen: files, environments, processes, sockets, code."""

# ruff: noqa: SIM115, S103 - an attack does what is not done

import os
import socket
import stat


def _read(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.listdir(path) if stat.S_ISDIR(os.fstat(descriptor).st_mode) else os.read(descriptor, 200)
    finally:
        os.close(descriptor)


def read(tally, paths):
    """Each path as it is, and by every detour that /proc offers."""
    detours = ["", "/proc/self/root", "/proc/1/root", "/proc/1/cwd/..", "/proc/self/cwd/../..", "/proc/1/task/1/root"]
    detours += [f"/proc/self/fd/{number}/../../../../.." for number in range(5)]
    detours += ["/dev/fd/3/../../../..", "/ffx/code/../../..", "/proc/thread-self/root/proc/1/root"]
    for path in paths:
        for detour in detours:
            tally.tried(detour + path, lambda place=detour + path: _read(place))


def devices(tally):
    """The machine's own, and new ones."""
    for name in (
        "mem",
        "kmem",
        "kmsg",
        "port",
        "sda",
        "vda",
        "fuse",
        "kvm",
        "net/tun",
        "loop-control",
        "disk",
        "mapper",
    ):
        tally.tried("/dev/" + name, lambda name=name: _read("/dev/" + name))
    for name in ("kcore", "kmsg", "kpagecount", "sysrq-trigger", "timer_list", "slabinfo", "vmallocinfo"):
        tally.tried("/proc/" + name, lambda name=name: len(open("/proc/" + name, "rb").read(16)) or 1 / 0)
    for label, kind in (("block", stat.S_IFBLK), ("character", stat.S_IFCHR)):
        place = "/tmp/node-" + label
        tally.tried(place, lambda kind=kind, place=place: os.mknod(place, kind | 0o666, os.makedev(1, 1)))
    tally.tried("/sys", lambda: os.listdir("/sys"))


def processes(tally, canary, host_pids, own_names):
    """Others' command lines and environments, and signals to them."""
    seen = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    seen[entry] = file.read().replace(b"\0", b" ").decode(errors="replace")
            except OSError as error:
                tally.refused[f"cmdline {entry}"] = str(error)
    tally.saw["processes"] = seen
    for entry, line in seen.items():
        if not any(name in line for name in own_names):
            tally.got[f"process {entry}"] = line
        for file in ("environ", "maps", "auxv"):
            try:
                with open(f"/proc/{entry}/{file}", "rb") as opened:
                    content = opened.read()
            except OSError as error:
                tally.refused[f"{file} {entry}"] = str(error)
                continue
            if canary.encode() in content:
                tally.got[f"{file} {entry}"] = "the canary"
    if canary in repr(dict(os.environ)):
        tally.got["own environment"] = "the canary"
    for pid in host_pids:
        tally.tried(f"signal {pid}", lambda pid=pid: os.kill(pid, 9))
        tally.tried(f"handle {pid}", lambda pid=pid: os.pidfd_open(pid))
        tally.tried(f"priority {pid}", lambda pid=pid: os.setpriority(os.PRIO_PROCESS, pid, 19))
        tally.tried(f"limits {pid}", lambda pid=pid: os.sched_setaffinity(pid, {0}))


def search(tally, needles):
    """Every file that can be opened, but for the system's and our own, for somebody's secret."""
    looked = 0
    for root, folders, files in os.walk("/"):
        if root == "/":
            folders[:] = [name for name in folders if name not in ("usr", "proc", "nix", "gnu", "root", "lib", "lib64")]
        for name in files:
            path = os.path.join(root, name)
            if path.startswith("/ffx/code/vehicle/") or name == "plan.json" or not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            try:
                with open(path, "rb") as file:
                    content = file.read(1_000_000)
            except OSError:
                continue
            looked += 1
            for needle in needles:
                if needle.encode() in content:
                    tally.got[path] = needle
    tally.saw["files"] = looked
    tally.refused["search"] = f"nothing in {looked} files"


def unix_sockets(tally, paths, abstract):
    """Of the platform, of other functions, of the host; by name, by path and by what the kernel lists."""

    def connect(address):
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(2)
            made.connect(address)
            return "connected"

    for path in paths:
        tally.tried(path, lambda path=path: connect(path))
        tally.tried("/proc/1/root" + path, lambda path=path: connect("/proc/1/root" + path))
    for name in abstract:
        tally.tried("@" + name, lambda name=name: connect("\0" + name))
    with open("/proc/net/unix") as file:
        listed = [line.split()[-1] for line in file.readlines()[1:] if len(line.split()) > 7]
    tally.saw["listed"] = listed
    for name in listed:
        if name in paths or name.removeprefix("@") in abstract:
            tally.got["listed " + name] = "its name"


def write_code(tally):
    """Into what the next call, the next instance or another function would run."""
    places = ["/ffx/code", "/ffx/runtime", "/ffx/deps", "/usr/bin", "/usr/lib", "/etc", "/", "/proc/sys/kernel", "/dev"]
    for place in places:
        tally.tried(f"make in {place}", lambda place=place: open(place + "/made-by-attack", "w").write("x"))
        tally.tried(f"folder in {place}", lambda place=place: os.mkdir(place + "/made-folder"))
        tally.tried(f"link in {place}", lambda place=place: os.symlink("/tmp", place + "/made-link"))
        tally.tried(f"mode of {place}", lambda place=place: os.chmod(place, 0o777))
        tally.tried(f"owner of {place}", lambda place=place: os.chown(place, 0, 0))
        tally.tried(f"times of {place}", lambda place=place: os.utime(place))
        tally.tried(f"attribute of {place}", lambda place=place: os.setxattr(place, "user.x", b"x"))
    for path in ("/ffx/code/vehicle/run.py", "/ffx/runtime/start.py", "/etc/passwd", "/usr/bin/env", "/proc/self/exe"):
        tally.tried(f"write {path}", lambda path=path: open(path, "r+b").write(b"x"))
        tally.tried(f"remove {path}", lambda path=path: os.unlink(path))
        tally.tried(f"rename {path}", lambda path=path: os.rename(path, path + ".old"))
        tally.tried(f"truncate {path}", lambda path=path: os.truncate(path, 0))
    os.makedirs("/tmp/over", exist_ok=True)
    tally.tried("hard link", lambda: os.link("/ffx/code/vehicle/run.py", "/tmp/over/run.py"))


def code_again(tally):
    """What is the code after all that? Told for comparison."""
    tally.saw["code"] = sorted(os.listdir("/ffx/code"))
    tally.refused["look"] = "told"
