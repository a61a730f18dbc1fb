"""A row policy lets only leakproof comparisons use an index: each filter of the audit log is one."""

from __future__ import annotations

import re

import pytest
from django.db import connection

from gateway.db.scope import tenant_scope
from tenants.models import AuditEntry
from tenants.services.audit import filters
from tests import factories

from .audit_owner import owner

pytestmark = pytest.mark.django_db(transaction=True)
CONDITIONS = [
    ({"actor": "a7"}, "actor = "),
    ({"action": "a.7."}, "action >= "),
    ({"action": "a.7.b"}, "action = "),
    ({"target": "t77*"}, "target >= "),
    ({"credential": "jwt:7"}, "credential = "),
    ({"credential": "api_key"}, "credential >= "),
    ({"ip": "10.0.1.7"}, "ip = "),
    ({"ip": "10.0.1.0/28"}, "ip >= "),
    ({"request_id": "r7"}, "request_id = "),
    ({"since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}, "at >= "),
]


def test_every_filter_is_an_index_condition_in_a_tenants_scope() -> None:
    tenants = [factories.tenant() for _ in range(2)]
    for tenant in tenants:
        with tenant_scope(tenant.pk):
            AuditEntry.objects.bulk_create(
                AuditEntry(
                    tenant=tenant, actor=f"a{n}", credential=f"jwt:{n}", ip=f"10.0.{n // 256}.{n % 256}",
                    request_id=f"r{n}", action=f"a.{n}.b", target=f"t{n}",
                )
                for n in range(4000)
            )  # fmt: skip
    with owner() as db:
        db.execute("ANALYZE tenants_auditentry")
    with tenant_scope(tenants[0].pk), connection.cursor() as cursor:
        for query, condition in CONDITIONS:
            rows = filters.parse(query).apply(AuditEntry.objects.filter(tenant=tenants[0])).order_by("-pk")
            statement, values = rows[:51].query.sql_with_params()
            cursor.execute(f"EXPLAIN {statement}", values)
            plan = "\n".join(line for (line,) in cursor.fetchall())
            found = [line for line in plan.splitlines() if "Index Cond" in line]
            assert any(condition in re.sub(r"[()\"]|::\w+( varying)?", "", line) for line in found), plan
