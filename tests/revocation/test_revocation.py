"""What is revoked at one process is refused at all of them, within two seconds; and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from realtime.tests.test_credentials import MOST_SECONDS
from tests import factories
from tests.stack import Stack

from .doors import Person, Web

ALL = ("token", "session", "key", "S3")


@pytest.fixture(scope="module")
def webs(stack: Stack) -> Iterator[tuple[Web, Web]]:
    """Two web processes; changes are made at the first."""
    with stack.another_web() as name:
        made = Web(stack, "web"), Web(stack, name)
        yield made
        for web in made:
            web.http.close()


@pytest.fixture(scope="module")
def root(webs: tuple[Web, Web]) -> str:
    """A token of platform staff."""
    return str(webs[0].tokens("root-of-all", factories.PASSWORD)["access"])


@pytest.fixture
def person(stack: Stack, webs: tuple[Web, Web]) -> Iterator[Person]:
    """A member of a tenant of their own, let in everywhere."""
    with ExitStack() as closing:
        account = stack.account()
        account.bucket()
        made = Person(account, webs, closing)
        assert made.open() == made.named()
        yield made


@pytest.fixture
def boss(stack: Stack, webs: tuple[Web, Web], person: Person) -> str:
    """A token of another administrator of the same tenant."""
    with stack.database():
        who = factories.member(person.account.who.tenant)
    return str(webs[0].tokens(who.label)["access"])


def path_of(person: Person) -> str:
    assert person.account.who.user is not None
    return f"users/{person.account.who.user.public_id}"


def deactivate(person: Person, boss: str, root: str) -> None:
    person.webs[0].ok("DELETE", path_of(person), boss)


def suspend(person: Person, boss: str, root: str) -> None:
    path = f"tenants/{person.account.who.tenant.public_id}"
    person.webs[0].ok("PATCH", path, root, {"status": "suspended"})


def revoke_key(person: Person, boss: str, root: str) -> None:
    person.webs[0].ok("DELETE", f"api-keys/{person.key['id']}", boss)


def revoke_access_key(person: Person, boss: str, root: str) -> None:
    keys = person.webs[0].ok("GET", "storage/access-keys", boss)
    (mine,) = (key["id"] for key in keys if key["access_key_id"] == person.account.key_id)
    person.webs[0].ok("DELETE", f"storage/access-keys/{mine}", boss)


def sign_out(person: Person, boss: str, root: str) -> None:
    csrf = next(pair.split("=", 1)[1] for pair in person.session.split("; ") if "csrf" in pair)
    answer = person.webs[0].http.post("/app/logout", headers={"Cookie": person.session, "X-CSRFToken": csrf})
    assert answer.status_code == 302


def log_out(person: Person, boss: str, root: str) -> None:
    person.webs[0].ok("POST", "auth/logout", person.pair["access"], {"refresh": person.pair["refresh"]})


def narrow_key(person: Person, boss: str, root: str) -> None:
    person.webs[0].ok("PATCH", f"api-keys/{person.key['id']}", boss, {"permissions": []})


def bind_key(person: Person, boss: str, root: str) -> None:
    """To addresses from which nobody asks."""
    person.webs[0].ok("PATCH", f"api-keys/{person.key['id']}", boss, {"allowed_networks": ["192.0.2.0/24"]})


def rotate_key(person: Person, boss: str, root: str) -> None:
    path = f"api-keys/{person.key['id']}/rotate"
    person.webs[0].ok("POST", path, person.pair["access"], {"overlap_seconds": 0})


def end_other_sign_ins(person: Person, boss: str, root: str) -> None:
    person.webs[0].ok("DELETE", "auth/sessions", person.pair["access"])


def change_password(person: Person, boss: str, root: str) -> None:
    body = {"current_password": factories.PASSWORD, "new_password": factories.PASSWORD + "!"}
    person.webs[0].ok("POST", "auth/password", person.pair["access"], body)


def require_second_factor(person: Person, boss: str, root: str) -> None:
    path = f"tenants/{person.account.who.tenant.public_id}/settings"
    person.webs[0].ok("PATCH", path, root, {"require_second_factor": True})


def remove(person: Person, boss: str, root: str) -> None:
    tenant = person.account.who.tenant.public_id
    person.webs[0].ok("DELETE", f"tenants/{tenant}/{path_of(person)}", boss)


def delete_tenant(person: Person, boss: str, root: str) -> None:
    person.webs[0].ok("DELETE", f"tenants/{person.account.who.tenant.public_id}", root)


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        (deactivate, ALL),
        (suspend, ALL),
        (revoke_key, ("key",)),
        (revoke_access_key, ("S3",)),
        (sign_out, ("session",)),
        (log_out, ("token",)),
        (change_password, ("token", "session")),
        *(
            pytest.param(*row, marks=pytest.mark.long)
            for row in (
                (narrow_key, ("key",)),
                (bind_key, ("key",)),
                (rotate_key, ("key",)),
                (end_other_sign_ins, ("session",)),
                (require_second_factor, ("token", "session")),
                (remove, ALL),
                (delete_tenant, ALL),
            )
        ),
    ],
)
def test_what_ends_is_refused_everywhere(
    person: Person, boss: str, root: str, change: Callable[[Person, str, str], None], ends: tuple[str, ...]
) -> None:
    change(person, boss, root)
    took = dict(person.closing(*person.named(*ends)))
    assert {door: seconds for door, seconds in took.items() if seconds > MOST_SECONDS} == {}
    assert person.open() == [door for door in person.named() if door not in took]


def test_another_role_holds_everywhere(person: Person, boss: str, root: str) -> None:
    """A viewer may still look on, but not list people nor write objects."""
    person.webs[0].ok("PATCH", path_of(person), boss, {"role": "viewer"})
    doors = [door for door in person.named() if not door.endswith(("stream", "socket"))]
    took = dict(person.closing(*doors))
    assert {door: seconds for door, seconds in took.items() if seconds > MOST_SECONDS} == {}
    assert person.open() == [door for door in person.named() if door not in took]


def test_a_reactivation_brings_back_keys_and_no_sign_ins(person: Person, boss: str, root: str) -> None:
    deactivate(person, boss, root)
    assert {door for door, _ in person.closing()} == set(person.named())
    person.webs[0].ok("PATCH", path_of(person), boss, {"is_active": True})
    asked = [door for door in person.named() if not door.endswith(("stream", "socket"))]  # which are cut
    back = person.named("key", at="web") + person.named("S3")
    took = dict(person.opening(*back))
    assert {door: seconds for door, seconds in took.items() if seconds > MOST_SECONDS} == {}
    assert set(person.open(*asked)) == set(back)


def test_an_active_tenant_again_has_all_its_credentials(person: Person, boss: str, root: str) -> None:
    suspend(person, boss, root)
    assert {door for door, _ in person.closing()} == set(person.named())
    path = f"tenants/{person.account.who.tenant.public_id}"
    person.webs[0].ok("PATCH", path, root, {"status": "active"})
    took = dict(person.opening(*(door for door in person.named() if not door.endswith(("stream", "socket")))))
    assert {door: seconds for door, seconds in took.items() if seconds > MOST_SECONDS} == {}
