"""Event streams end to end: a real server, a real database, a real reader."""

from __future__ import annotations

import pytest

from gateway.db.scope import tenant_scope
from realtime.services import publish
from realtime.tests.clients import Stream, token
from realtime.tests.conftest import Live
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_published_arrives_as_a_cloud_event(live: Live) -> None:
    reader = factories.member(factories.tenant())
    with Stream(live.port, token=token(reader)) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        with tenant_scope(reader.tenant.pk):
            event_id = publish(reader.tenant.pk, "storage.object.created", subject="b/k", data={"size": 3})
        (event,) = stream.take(1)
    assert event.pop("time").endswith("Z")
    assert event == {
        "specversion": "1.0",
        "id": str(event_id),
        "source": f"/tenants/{reader.tenant.slug}/storage",
        "type": "storage.object.created",
        "subject": "b/k",
        "data": {"size": 3},
    }
