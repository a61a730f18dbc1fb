"""What authentication adds to a request of the API, by credential: the same view with and without, in turns.

    python -m bench.authentication

with PostgreSQL and Valkey in the environment. The requests are WSGI calls of the whole application in this process:
no socket and no client is measured with them.
"""

from __future__ import annotations

import os
import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

ROUNDS, REQUESTS = 5, 50
"""In a round the kinds take turns request by request, and the round that was disturbed least counts."""

Headers = dict[str, str]


@dataclass(frozen=True)
class Result:
    """Milliseconds at p50 of a request with the credential, and of one of the same view that asks for none.

    `processor` is what the credential adds in this thread's processor time, which other work disturbs least.
    """

    kind: str
    authenticated: float
    anonymous: float
    processor: float


def measure() -> Iterator[Result]:
    """Each kind of credential: warm, as a busy caller's is, and the first use in a second."""
    call = _application()
    credentials = _credentials()
    clear = _cache_cleared()
    kinds: dict[str, tuple[str, Headers, Callable[[], None]]] = {"anonymous": ("/open", {}, _nothing)}
    for name, headers in credentials.items():
        kinds[name] = ("/closed", headers, _nothing)
        if name != "session":
            kinds[f"{name}, not kept"] = ("/closed", headers, clear)
    for path, headers, _ in kinds.values():
        call(path, headers)
    rounds = [_round(call, kinds) for _ in range(ROUNDS)]
    least = min(rounds, key=lambda medians: sum(wall for wall, _ in medians.values()))
    wall, processor = least["anonymous"]
    for kind, (taken, used) in least.items():
        if kind != "anonymous":
            yield Result(kind, taken, wall, used - processor)


def _round(
    call: Callable[[str, Headers], None], kinds: dict[str, tuple[str, Headers, Callable[[], None]]]
) -> dict[str, tuple[float, float]]:
    """The p50 of each kind, in milliseconds: of the clock, and of this thread's processor time."""
    times: dict[str, list[int]] = {kind: [] for kind in kinds}
    used: dict[str, list[int]] = {kind: [] for kind in kinds}
    for _ in range(REQUESTS):
        for kind, (path, headers, before) in kinds.items():
            call(
                path, headers
            )  # what the turn of another kind left in the processor's caches is not measured
            before()
            began, had = time.perf_counter_ns(), time.thread_time_ns()
            call(path, headers)
            used[kind].append(time.thread_time_ns() - had)
            times[kind].append(time.perf_counter_ns() - began)
    return {k: (statistics.median(times[k]) / 1e6, statistics.median(used[k]) / 1e6) for k in kinds}


def _nothing() -> None:
    pass


def _cache_cleared() -> Callable[[], None]:
    from tenants.services import principals

    return principals.cache.clear


def _application() -> Callable[[str, Headers], None]:
    """Ask a path of the application, which has the two views instead of its own. Raises RuntimeError unless 200."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    # The limits are counted as ever, and never reached.
    os.environ |= {"API_RATE_LIMIT": "1000000000", "AUTH_RATE_LIMIT": "1000000000", "LOG_LEVEL": "WARNING"}
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.urls import path as route

    from gateway.api.views import ApiView

    class Open(ApiView):
        public = True
        authentication_classes = []

        def get(self, request: Any) -> Any:
            return _answer()

    class Closed(ApiView):
        permissions = {"GET": "tenant.read"}

        def get(self, request: Any) -> Any:
            return _answer()

    global urlpatterns
    urlpatterns = [route("api/v1/open", Open.as_view()), route("api/v1/closed", Closed.as_view())]
    settings.ROOT_URLCONF = __name__
    call_command("prepare_database", verbosity=0)
    call_command("migrate", verbosity=0)
    application = get_wsgi_application()

    def call(path: str, headers: Headers) -> None:
        said: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": f"/api/v1{path}",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "https",
            "wsgi.input": BytesIO(),
            "HTTP_X_FORWARDED_PROTO": "https",
            "HTTP_HOST": "localhost",
            **headers,
        }
        response: Any = application(environ, lambda status, *_: said.append(status))  # type: ignore[arg-type]
        for _ in response:
            pass
        response.close()
        if said != ["200 OK"]:
            raise RuntimeError(f"{path} {headers.keys()}: {said}")

    return call


urlpatterns: list[Any] = []


def _answer() -> Any:
    from rest_framework.response import Response

    return Response({"answer": 42})


def _credentials() -> dict[str, Headers]:
    """Of a new tenant's owner, by kind, as headers of the environment."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from gateway.db.scope import tenant_scope
    from tenants.permissions import role_permissions
    from tenants.principal import Credential, Principal
    from tenants.services import api_keys, token_families
    from tenants.services.bootstrap import ensure_platform
    from tenants.services.tenants import create_tenant
    from tenants.services.users import create_user

    password = secrets.token_urlsafe(20)
    ensure_platform("bench-root", password)
    name = f"bench-{secrets.token_hex(4)}"
    tenant = create_tenant(name, name, actor=None)
    membership = create_user(tenant, name, password=password, role="owner", actor=None)
    user, role = membership.user, membership.role
    owner = Principal(user, tenant, role.slug, role_permissions(role), Credential("session"))
    with tenant_scope(tenant.pk):
        _, key = api_keys.issue_key("bench", actor=owner)
    token = token_families.begin(user, ip=None, user_agent="bench")["access"]
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return {
        "session": {"HTTP_COOKIE": f"{settings.SESSION_COOKIE_NAME}={session.session_key}"},
        "API key": {"HTTP_X_API_KEY": key},
        "JWT": {"HTTP_AUTHORIZATION": f"Bearer {token}"},
    }


def main() -> None:
    """Print what each adds."""
    print("a request of the API, with a credential and without, p50")
    for found in measure():
        added = found.authenticated - found.anonymous
        print(
            f"  {found.kind:22}{found.authenticated:>8.3f} ms   without {found.anonymous:>7.3f} ms   "
            f"added {added:>6.3f} ms   ratio {found.authenticated / found.anonymous:.2f}   "
            f"processor {found.processor:>6.3f} ms"
        )


if __name__ == "__main__":
    main()
