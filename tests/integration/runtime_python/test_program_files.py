"""Which files an exec function's build takes for a program."""

from __future__ import annotations

from pathlib import Path

import pytest

from faasioflex.runtime.language import language
from support.runtime_instance import run_check


def script(folder: Path, text: str) -> Path:
    path = folder / "run"
    path.write_text(text)
    path.chmod(0o755)
    return folder


@pytest.mark.parametrize("text", ["echo hello\n", "", "#!\necho hello\n"])
async def test_a_file_that_the_kernel_cannot_run_is_refused_at_the_check(tmp_path: Path, text: str) -> None:
    code, output = await run_check(language("exec"), script(tmp_path, text))
    assert code == 1
    assert "run: " in output
    assert "add #!/bin/sh" in output


async def test_a_script_and_a_binary_pass_the_check(tmp_path: Path) -> None:
    assert await run_check(language("exec"), script(tmp_path, "#!/bin/sh\necho hello\n")) == (0, "")
    (tmp_path / "run").write_bytes(Path("/bin/true").read_bytes())
    assert await run_check(language("exec"), tmp_path) == (0, "")
