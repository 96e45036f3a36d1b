"""People at every login driver: made, changed, disabled, deleted; each with the effect that it has at the login page."""

from __future__ import annotations

import time

import pytest

from faasioflex.model.errors import Conflict, Invalid, NotFound
from support.code_flow import LoginRefused
from support.login_world import World


async def test_who_was_made_is_listed(world: World, email: str, password: str) -> None:
    made = await world.login.create_user(email, "Some One", password)
    assert (made.email, made.name, made.disabled) == (email, "Some One", False)
    assert made in await world.login.users()


async def test_an_email_is_of_one_person(world: World, email: str, password: str) -> None:
    await world.login.create_user(email, "Some One", password)
    for same in (email, email.upper()):
        with pytest.raises(Conflict):
            await world.login.create_user(same, "Another", password)
    assert [user.name for user in await world.login.users() if user.email == email] == ["Some One"]


@pytest.mark.parametrize("wrong", ["", "nobody", "a b@example.test", "@example.test", "someone@", "a@b@c"])
async def test_an_email_must_be_one(world: World, wrong: str, password: str) -> None:
    with pytest.raises(Invalid) as raised:
        await world.login.create_user(wrong, "Some One", password)
    assert password not in raised.value.message


async def test_weak_passwords_are_refused(world: World, email: str) -> None:
    for weak in ("", "short", "1234567"):
        with pytest.raises(Invalid):
            await world.login.create_user(email, "Some One", weak)
    assert all(user.email != email for user in await world.login.users())


async def test_a_name_changes(world: World, email: str, password: str) -> None:
    made = await world.login.create_user(email, "Some One", password)
    changed = await world.login.change_user(made.subject, name="Another Name")
    assert (changed.subject, changed.name) == (made.subject, "Another Name")
    assert changed in await world.login.users()
    identity = await world.login.verify_id_token(await world.id_token(email, password), time.time())
    assert (identity.subject, identity.name) == (made.subject, "Another Name")


async def test_a_password_changes(world: World, email: str, password: str) -> None:
    made = await world.login.create_user(email, "Some One", password)
    await world.login.change_user(made.subject, password="another-" + password)
    with pytest.raises(LoginRefused):
        await world.id_token(email, password)
    assert await world.id_token(email, "another-" + password)
    with pytest.raises(Invalid):
        await world.login.change_user(made.subject, password="short")
    assert await world.id_token(email, "another-" + password)


async def test_who_is_disabled_does_not_log_in_until_enabled(world: World, email: str, password: str) -> None:
    """Enabled with a new password: not every login can give the old one back."""
    assert world.login.abilities.disable
    made = await world.login.create_user(email, "Some One", password)
    assert (await world.login.change_user(made.subject, disabled=True)).disabled
    assert [user.disabled for user in await world.login.users() if user.subject == made.subject] == [True]
    with pytest.raises(LoginRefused):
        await world.id_token(email, password)
    changed = await world.login.change_user(made.subject, disabled=False, password="new-" + password)
    assert not changed.disabled
    assert changed in await world.login.users()
    identity = await world.login.verify_id_token(await world.id_token(email, "new-" + password), time.time())
    assert identity.subject == made.subject


async def test_who_is_deleted_is_gone_and_their_email_is_free_for_somebody_else(
    world: World, email: str, password: str
) -> None:
    made = await world.login.create_user(email, "Some One", password)
    await world.login.delete_user(made.subject)
    assert all(user.subject != made.subject for user in await world.login.users())
    with pytest.raises(LoginRefused):
        await world.id_token(email, password)
    for change in (world.login.delete_user(made.subject), world.login.change_user(made.subject, name="Nobody")):
        with pytest.raises(NotFound):
            await change
    other = await world.login.create_user(email, "Somebody Else", password)
    assert other.subject != made.subject
    identity = await world.login.verify_id_token(await world.id_token(email, password), time.time())
    assert identity.subject == other.subject


async def test_nobody_by_an_unknown_subject(world: World) -> None:
    for subject in ("", "nobody", "CgZub2JvZHkSBWxvY2Fs", "../../etc", "ü"):
        with pytest.raises(NotFound):
            await world.login.change_user(subject, name="X")
        with pytest.raises(NotFound):
            await world.login.delete_user(subject)
