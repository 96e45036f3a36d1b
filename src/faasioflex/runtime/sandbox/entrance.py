"""How a function's code comes into a sandbox that was started without any.

Every spare shows an empty folder at each place of :data:`PLACES`. As root the code's folders are mounted over them, from outside and
whatever their size, in a quarter of a millisecond. A plain user may mount nothing there: a folder of the spare's own is shown, and the
code is linked into it file by file, which is quick for as many files as a hand-written function has.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from faasioflex.runtime import linux
from faasioflex.runtime.isolation import Shown

PLACES = ("/ffx/code", "/ffx/deps")
MOST_LINKED = 200  # entries of a tree: some 10 us each, where a sandbox is started in 20 ms
_CLONE_NEWNS = 0x00020000


class Entrance(Protocol):
    def rooms(self, identifier: str) -> tuple[Shown, ...]:
        """What a new spare shows at :data:`PLACES`. Raises: OSError."""

    def fits(self, shown: Sequence[Shown]) -> bool:
        """Whether these come in faster than another sandbox starts."""

    def let_in(self, identifier: str, init: int, shown: Sequence[Shown]) -> None:
        """Show these, all at :data:`PLACES`, in the spare whose init is ``init`` (a pidfd); before anything of a function's runs in it.

        Raises: OSError; then the spare is of no use any more.
        """

    def leave(self, identifier: str) -> None:
        """It has ended."""


def find(state: Path) -> Entrance:
    """What this process may do. ``state``: a folder of the launcher's, which is emptied, for what an earlier one left."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True, mode=0o755)
    if os.geteuid() == 0:
        try:
            os.close(linux.detached_mount(str(state)))
        except OSError:
            pass  # an older kernel, or a container that may not mount
        else:
            return Mounted(state)
    return Linked(state)


class Mounted:
    """``state``: a folder in which an empty one is made, which all spares show."""

    def __init__(self, state: Path) -> None:
        self._empty = state / "empty"
        self._empty.mkdir(mode=0o755)

    def rooms(self, identifier: str) -> tuple[Shown, ...]:
        return tuple(Shown(self._empty, place) for place in PLACES)

    def fits(self, shown: Sequence[Shown]) -> bool:
        return True

    def let_in(self, identifier: str, init: int, shown: Sequence[Shown]) -> None:
        with ExitStack() as made:
            mounts = []
            for item in shown:
                mounts.append((linux.detached_mount(str(item.source)), item.target))
                made.callback(os.close, mounts[-1][0])
            with _inside(init):
                for descriptor, target in mounts:
                    linux.attach_mount(descriptor, target)

    def leave(self, identifier: str) -> None:
        """Its mounts end with it."""


class Linked:
    """``state``: a folder on the file system of the builds, where links to their files can be made."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def rooms(self, identifier: str) -> tuple[Shown, ...]:
        made = []
        for place in PLACES:
            room = self._room(identifier, place)
            room.mkdir(parents=True, mode=0o755)
            made.append(Shown(room, place))
        return tuple(made)

    def fits(self, shown: Sequence[Shown]) -> bool:
        return _at_most([item.source for item in shown], MOST_LINKED)

    def let_in(self, identifier: str, init: int, shown: Sequence[Shown]) -> None:
        for item in shown:
            _link(item.source, self._room(identifier, item.target))

    def leave(self, identifier: str) -> None:
        shutil.rmtree(self._state / identifier, ignore_errors=True)

    def _room(self, identifier: str, place: str) -> Path:
        return self._state / identifier / Path(place).name


def _at_most(folders: Sequence[Path], most: int) -> bool:
    seen = 0
    for folder in folders:
        for _, names, files in os.walk(folder):
            seen += len(names) + len(files)
            if seen > most:
                return False
    return True


def _link(source: Path, room: Path) -> None:
    for folder, names, files in os.walk(source):
        into = room / Path(folder).relative_to(source)
        for name in names:
            path = Path(folder, name)
            if path.is_symlink():
                (into / name).symlink_to(path.readlink())
            else:
                (into / name).mkdir(mode=0o755)
        for name in files:
            os.link(Path(folder, name), into / name, follow_symlinks=False)


@contextmanager
def _inside(init: int) -> Iterator[None]:
    """In the mount namespace of the process behind a pidfd. This process has one thread, and nothing else happens meanwhile."""
    with ExitStack() as opened:

        def handle(path: str, flags: int) -> int:
            descriptor = os.open(path, flags | os.O_CLOEXEC)
            opened.callback(os.close, descriptor)
            return descriptor

        home, root, here = (
            handle("/proc/self/ns/mnt", os.O_RDONLY),
            handle("/", os.O_PATH),
            handle(".", os.O_PATH),
        )
        linux.join_namespace(init, _CLONE_NEWNS)
        try:
            yield
        finally:
            _come_home(home, root, here)


def _come_home(home: int, root: int, here: int) -> None:
    """Entering a mount namespace also changes the root and the current folder."""
    try:
        linux.join_namespace(home, _CLONE_NEWNS)
        os.fchdir(root)
        os.chroot(".")
        os.fchdir(here)
    except OSError:
        os._exit(1)  # nothing may be done from there; the supervisor starts another launcher
