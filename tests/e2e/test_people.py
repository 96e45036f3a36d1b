"""People on a new platform, from the first admin's one-time password to a call of somebody who was invited."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.login_pages import Visit
from support.platform_process import FFX, Platform, environment, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ADMIN, ADMINS = "admin@localhost", "the admin's very own one"
GRACE, GRACES = "grace@example.test", "what grace alone knows"
MAIN = 'def handle(event, context):\n    return {"user": event.headers["x-ffx-user"], "said": event.text()}\n'


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    folder = Path(tempfile.mkdtemp(prefix="ffx"))
    found = Platform(folder / "d")
    try:
        found.start()
        wait_for(found.ready, 60, "ready")
        yield found
    finally:
        found.end()
        shutil.rmtree(folder, ignore_errors=True)


class Shell:
    """Somebody's own terminal: a home of their own, and no way to the platform but its address."""

    def __init__(self, home: Path, platform: Platform) -> None:
        self.home, self.url = home, platform.url
        home.mkdir()
        self.environment = environment(HOME=str(home), XDG_CONFIG_HOME=str(home / "config"))

    def ffx(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [FFX, *arguments],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def ok(self, *arguments: str) -> str:
        done = self.ffx(*arguments)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def log_in(self, visit: Visit, email: str, password: str, new: str | None = None) -> str:
        """``ffx login --device``, with the browser of ``visit``."""
        output = self.home / "login.out"
        with output.open("w") as file:
            process = subprocess.Popen(
                [FFX, "login", "--device", "--url", self.url],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            pattern = re.compile(r"Open (\S+user_code=\S+)")
            wait_for(lambda: pattern.search(output.read_text()) or process.poll() is not None, 60, "a code")
            found = pattern.search(output.read_text())
            assert found, output.read_text()
            allow(visit, found[1], email, password, new)
            assert process.wait(60) == 0, output.read_text()
        finally:
            process.kill()
        return output.read_text()


def allow(visit: Visit, url: str, email: str, password: str, new: str | None) -> None:
    visit.open(url)
    visit.send(email=email, password=password)
    if new is not None:
        assert "new_password" in visit.fields
        visit.send(new_password=new, again=new)
    visit.send()  # the code is there already
    assert "FaaSioFlex command line" in visit.text
    visit.send(do="allow")
    assert "user_code" not in visit.fields


def one_time_password(platform: Platform) -> str:
    found = re.search(r"One-time password: +(\S+)", platform.output())
    assert found, platform.output()
    return found[1]


def test_from_the_first_admin_to_somebody_elses_call(platform: Platform, tmp_path: Path) -> None:
    once = one_time_password(platform)
    admin, grace = Shell(tmp_path / "admin", platform), Shell(tmp_path / "grace", platform)
    with Visit(platform.url) as visit:
        assert f"as {ADMIN}" in admin.log_in(visit, ADMIN, once, ADMINS)
    who = json.loads(admin.ok("whoami", "-o", "json"))
    assert (who["email"], who["role"], who["namespace"]) == (ADMIN, "admin", "admin")
    assert platform.output().count(once) == 1
    assert kept_in_clear(platform.data, once) == []
    with Visit(platform.url) as visit:
        visit.open(f"{platform.url}/oidc/device")
        visit.send(email=ADMIN, password=once)
        assert "password" in visit.fields  # the one-time password is over

    invitation = admin.ok("user", "invite", GRACE, "--name", "Grace").strip().splitlines()[-1]
    assert kept_mails(platform.data, GRACE)
    with Visit(platform.url) as visit:
        visit.open(invitation)
        visit.send(name="Grace", new_password=GRACES, again=GRACES)
        visit.open(invitation)
        assert visit.status == 400  # it works once
        assert f"as {GRACE}: your namespace is grace" in grace.log_in(visit, GRACE, GRACES)

    code = grace.home / "hello"
    code.mkdir()
    (code / "main.py").write_text(MAIN)
    grace.ok("deploy", str(code), "--name", "hello", "--runtime", "python")
    me = json.loads(grace.ok("whoami", "-o", "json"))
    assert me["role"] == "developer"
    assert json.loads(grace.ok("invoke", "hello", "-d", "hi", "--raw")) == {"user": me["user"], "said": "hi"}
    kept_private(grace.home)
    assert httpx.post(f"{platform.url}/f/grace/hello", content="hi", timeout=60, trust_env=False).status_code == 401

    admin.ok("user", "disable", GRACE)
    wait_for(lambda: grace.ffx("whoami").returncode != 0, 5, "who is disabled is out")
    with Visit(platform.url) as visit:
        visit.open(f"{platform.url}/oidc/device")
        visit.send(email=GRACE, password=GRACES)
        assert "password" in visit.fields


def kept_private(home: Path) -> None:
    (file,) = (home / "config").rglob("tokens/*.json")
    assert file.stat().st_mode & 0o777 == 0o600


def kept_in_clear(folder: Path, secret: str) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file() and secret.encode() in one.read_bytes()]


def kept_mails(folder: Path, to: str) -> list[Path]:
    return [one for one in (folder / "identity/outbox").glob("*.eml") if f"To: {to}" in one.read_text()]
