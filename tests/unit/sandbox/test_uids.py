from __future__ import annotations

from pathlib import Path

import pytest

from faasioflex.runtime.sandbox.uids import PER_INSTALLATION, UidBlock, is_reserved


def test_two_installations_share_no_uid(tmp_path: Path) -> None:
    one, two = UidBlock.claim(tmp_path), UidBlock.claim(tmp_path)
    of_one, of_two = ({block.take() for _ in range(PER_INSTALLATION)} for block in (one, two))
    assert not of_one & of_two
    assert all(is_reserved(uid) for uid in of_one | of_two)
    one.close()
    two.close()


def test_a_block_is_free_again_when_its_holder_is_gone(tmp_path: Path) -> None:
    one = UidBlock.claim(tmp_path)
    first = one.take()
    one.close()
    assert UidBlock.claim(tmp_path).take() == first


def test_a_uid_is_used_again_as_late_as_possible_and_never_twice_at_once(tmp_path: Path) -> None:
    block = UidBlock.claim(tmp_path)
    taken = [block.take() for _ in range(PER_INSTALLATION)]
    assert len(set(taken)) == PER_INSTALLATION
    with pytest.raises(OSError, match="in use"):
        block.take()
    block.give_back(taken[5])
    assert block.take() == taken[5]
