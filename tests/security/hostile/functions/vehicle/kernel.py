"""Attacks on the kernel's ways out: system calls by number, settings, capabilities."""

import ctypes
import os
import platform
import resource
import subprocess

_COLUMN = {"x86_64": 0, "aarch64": 1}[platform.machine()]
_NUMBERS = {
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "unshare": (272, 97), "setns": (308, 268),
    "clone": (56, 220), "clone3": (435, 435), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280),
    "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "fsopen": (430, 430),
    "open_tree": (428, 428), "move_mount": (429, 429), "open_by_handle_at": (304, 265), "kexec_load": (246, 104),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
    "swapon": (167, 224), "settimeofday": (164, 170), "clock_settime": (227, 112), "sethostname": (170, 161),
    "syslog": (103, 116), "acct": (163, 89), "fanotify_init": (300, 262), "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    "quotactl": (179, 60), "vhangup": (153, 58), "personality": (135, 92), "mbind": (237, 235), "move_pages": (279, 239),
    "memfd_secret": (447, 447), "setuid": (105, 146), "setgid": (106, 144), "setgroups": (116, 159), "capset": (126, 91),
    "lsm_set_self_attr": (460, 460), "mseal_and_younger": (500, 500),
}  # fmt: skip
_libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """The system call's answer. Raises OSError."""
    words = [value if isinstance(value, ctypes.Array) else ctypes.c_long(value) for value in arguments]
    answer = _libc.syscall(ctypes.c_long(_NUMBERS[name][_COLUMN]), *words)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def _text(value):
    return ctypes.create_string_buffer(value)


def _write(path, data):
    descriptor = os.open(path, os.O_WRONLY)
    try:
        return os.write(descriptor, data)
    finally:
        os.close(descriptor)


def mounts(tally):
    os.makedirs("/tmp/m", exist_ok=True)
    target = _text(b"/tmp/m")
    for kind in (b"proc", b"tmpfs", b"sysfs", b"overlay", b"devtmpfs", b"cgroup", b"cgroup2", b"debugfs", b"fuse"):
        tally.tried(f"mount {kind.decode()}", lambda kind=kind: call("mount", _text(kind), target, _text(kind), 0, 0))
    tally.tried("bind /", lambda: call("mount", _text(b"/"), target, 0, 4096, 0))
    tally.tried("remount / rw", lambda: call("mount", 0, _text(b"/ffx/code"), 0, 32 | 4096, 0))
    for name in ("fsopen", "open_tree", "move_mount"):
        tally.tried(name, lambda name=name: call(name, _text(b"tmpfs"), 0, 0, 0, 0))
    tally.tried("umount /proc/sys", lambda: call("umount2", _text(b"/proc/sys"), 2))
    tally.tried("umount /tmp", lambda: call("umount2", _text(b"/tmp"), 2))
    tally.tried("pivot_root", lambda: call("pivot_root", _text(b"/tmp"), target))
    tally.tried("chroot", lambda: call("chroot", _text(b"/tmp")))
    tally.tried("by handle", lambda: call("open_by_handle_at", -100, _text(b"\0" * 64), 0))


def namespaces(tally):
    flags = {"user": 0x10000000, "net": 0x40000000, "mnt": 0x20000, "pid": 0x20000000, "ipc": 0x08000000,
             "uts": 0x04000000, "cgroup": 0x02000000, "time": 0x80}  # fmt: skip
    for name, flag in flags.items():
        tally.tried(f"unshare {name}", lambda flag=flag: call("unshare", flag))
        if name != "time":

            def cloned(flag=flag):
                pid = call("clone", flag | 17, 0, 0, 0, 0)
                if pid == 0:
                    os._exit(0)
                return pid

            tally.tried(f"clone {name}", cloned)
        tally.tried(f"join {name} of 1", lambda kind=name: call("setns", os.open(f"/proc/1/ns/{kind}", os.O_RDONLY), 0))
    tally.tried("clone3", lambda: call("clone3", _text(b"\0" * 88), 88))

    def by_program():
        done = subprocess.run(["unshare", "-Ur", "id", "-u"], capture_output=True, check=False)
        if done.returncode:
            raise OSError(done.stderr.decode().strip())
        return done.stdout

    tally.tried("unshare(1)", by_program)


def other_processes(tally):
    for pid in (1, os.getppid()):
        for request, name in ((16, "attach"), (0x4206, "seize"), (2, "peek")):
            tally.tried(f"ptrace {name} {pid}", lambda request=request, pid=pid: call("ptrace", request, pid, 0, 0))
        tally.tried(
            f"vm_readv {pid}",
            lambda pid=pid: call("process_vm_readv", pid, _text(b"\0" * 16), 1, _text(b"\0" * 16), 1, 0),
        )
        tally.tried(
            f"vm_writev {pid}",
            lambda pid=pid: call("process_vm_writev", pid, _text(b"\0" * 16), 1, _text(b"\0" * 16), 1, 0),
        )
        tally.tried(f"kcmp {pid}", lambda pid=pid: call("kcmp", os.getpid(), pid, 0, 0, 0))
        tally.tried(f"getfd {pid}", lambda pid=pid: call("pidfd_getfd", os.pidfd_open(pid), 3, 0))
    tally.tried("traceme", lambda: call("ptrace", 0, 0, 0, 0))


def kernel_services(tally):
    tally.tried("keyctl session", lambda: call("keyctl", 1, 0, 0, 0, 0))
    tally.tried("keyctl describe", lambda: call("keyctl", 6, -4, 0, 0, 0))
    tally.tried("add_key", lambda: call("add_key", _text(b"user"), _text(b"x"), _text(b"y"), 1, -3))
    tally.tried("request_key", lambda: call("request_key", _text(b"user"), _text(b"x"), 0, -3))
    for number in range(40):
        tally.tried(f"bpf {number}", lambda number=number: call("bpf", number, _text(b"\0" * 128), 128))
    tally.tried("perf", lambda: call("perf_event_open", _text(b"\0\0\0\0\x70\0\0\0" + b"\0" * 120), 0, -1, -1, 0))
    tally.tried("io_uring", lambda: call("io_uring_setup", 4, _text(b"\0" * 120)))
    tally.tried("userfaultfd", lambda: call("userfaultfd", 1))
    tally.tried("fanotify", lambda: call("fanotify_init", 0, 0))
    tally.tried("memfd_secret", lambda: call("memfd_secret", 0))
    tally.tried("syslog", lambda: call("syslog", 3, _text(b"\0" * 100), 100))
    tally.tried("younger than the list", lambda: call("mseal_and_younger", 0, 0, 0))
    for name in ("kexec_load", "init_module", "finit_module", "delete_module", "reboot", "swapon", "acct", "vhangup", "quotactl",
                 "settimeofday", "clock_settime", "sethostname", "mbind", "move_pages"):  # fmt: skip
        tally.tried(name, lambda name=name: call(name, 0, 0, 0, 0, 0, 0))
    tally.tried("randomness off", lambda: call("personality", 0x0040000))


def terminals(tally):
    """Typing for whoever holds the terminal."""
    import fcntl
    import pty

    tally.tried("a terminal of its own", pty.openpty)
    for name, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        tally.tried(f"TIOCSTI {name}", lambda descriptor=descriptor: fcntl.ioctl(descriptor, 0x5412, b"x"))
        tally.tried(f"TIOCLINUX {name}", lambda descriptor=descriptor: fcntl.ioctl(descriptor, 0x541C, b"\x02"))
    for path in ("/dev/tty", "/dev/console", "/dev/pts/0"):

        def type_into(path=path):
            descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
            fcntl.ioctl(descriptor, 0x5412, b"x")
            return "typed"

        tally.tried(path, type_into)


def powers(tally):
    """More than a plain user's: capabilities, ids, limits, settings of the kernel."""
    for name in ("setuid", "setgid"):
        tally.tried(name, lambda name=name: call(name, 0))
    tally.tried("setgroups", lambda: call("setgroups", 1, ctypes.create_string_buffer(b"\0\0\0\0")))
    header, wanted = ctypes.create_string_buffer(b"\x22\x05\x08\x20\0\0\0\0"), ctypes.create_string_buffer(b"\xff" * 24)
    tally.tried("capset", lambda: call("capset", header, wanted))
    for kind in ("NOFILE", "NPROC", "FSIZE", "CORE"):
        number = getattr(resource, f"RLIMIT_{kind}")
        hard = resource.getrlimit(number)[1]
        tally.tried(f"limit {kind}", lambda number=number, hard=hard: resource.setrlimit(number, (hard + 1, hard + 1)))
    tally.tried("nice", lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))
    tally.tried("realtime", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
    for pid in ("self", "1", str(os.getppid())):
        with open(f"/proc/{pid}/status") as file:
            fields = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            if int(fields[name], 16):
                tally.got[f"{name} of {pid}"] = fields[name]
        if fields["NoNewPrivs"] != "1" or fields["Seccomp"] != "2":
            tally.got[f"filters of {pid}"] = [fields["NoNewPrivs"], fields["Seccomp"]]
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/fs/file-max", "/proc/sysrq-trigger",
                 "/proc/sys/user/max_user_namespaces", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/ns_last_pid",
                 "/proc/1/uid_map", "/proc/self/uid_map", "/proc/self/setgroups", "/proc/irq/default_smp_affinity"):  # fmt: skip
        tally.tried(path, lambda path=path: _write(path, b"0 0 1"))
    for program in ("su", "sudo", "newgrp"):

        def as_root(program=program):
            done = subprocess.run([program, "-c", "id -u"], capture_output=True, check=False, stdin=subprocess.DEVNULL)
            if done.stdout.strip() != b"0":
                raise OSError("not root")
            return done.stdout

        tally.tried(program, as_root)
