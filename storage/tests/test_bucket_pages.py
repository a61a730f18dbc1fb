"""Settings, policy and use of a bucket as pages: what is typed is kept, what is wrong stands at its field."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest

from gateway.db.scope import tenant_scope
from storage.models import Bucket
from storage.services import backends, buckets
from tenants.principal import Principal
from tests import factories
from tests.factories import browser

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
AT = "/app/buckets/docs"


@pytest.fixture
def admin() -> Principal:
    backends.ensure_default_backends()
    who = factories.member(factories.tenant())
    with tenant_scope(who.tenant.pk):
        buckets.create_bucket("docs", actor=who)
    return who


def post(who: Principal, path: str, values: dict[str, Any], *, htmx: bool = True) -> tuple[int, str]:
    answer = browser(who).post(AT + path, values, headers=HTMX if htmx else None)
    return answer.status_code, html.unescape(answer.content.decode())


def bucket(who: Principal) -> Bucket:
    with tenant_scope(who.tenant.pk):
        return Bucket.objects.get(name="docs")


@pytest.mark.parametrize("path", ["/settings", "/policy", "/usage", ""])
@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_pages_open_for_whoever_reads(admin: Principal, path: str, role: str) -> None:
    who = admin if role == "admin" else factories.member(admin.tenant, role)
    answer = browser(who).get(AT + path)
    assert answer.status_code == 200
    saves = ">Save</button>" in answer.content.decode()
    assert saves == (role == "admin" and path in ("/settings", "/policy"))


@pytest.mark.parametrize(
    ("section", "values", "field", "kept"),
    [
        ("versioning", {"versioning": "Enabled"}, "versioning", "Enabled"),
        ("encryption", {"encryption": "AES256"}, "encryption", "AES256"),
        ("quota", {"quota_bytes": "1.5 GiB", "quota_objects": "7"}, "quota_bytes", 1_610_612_736),
        ("tags", {"tags": "team=a\ncost=b=c"}, "tags", {"team": "a", "cost": "b=c"}),
        (
            "public_access_block",
            {"BlockPublicPolicy": "on"},
            "public_access_block",
            {
                "BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": True,
                "RestrictPublicBuckets": False,
            },
        ),
        ("notifications", {"eventbridge": "on"}, "notifications", {"EventBridgeConfiguration": {}}),
    ],
)  # fmt: skip
def test_a_section_is_saved(
    admin: Principal, section: str, values: dict[str, str], field: str, kept: Any
) -> None:
    status, text = post(admin, f"/settings/{section}", values)
    assert status == 200, text
    assert getattr(bucket(admin), field) == kept
    answer = browser(admin).post(f"{AT}/settings/{section}", values)
    assert (answer.status_code, answer["Location"]) == (302, f"{AT}/settings#{section}")


def test_locking_by_default(admin: Principal) -> None:
    wanted = {"object_lock": "on", "mode": "COMPLIANCE", "period": "2", "unit": "years"}
    status, text = post(admin, "/settings/default_retention", wanted)
    assert status == 422
    assert "Versioning must be 'Enabled'" in text
    post(admin, "/settings/versioning", {"versioning": "Enabled"})
    assert post(admin, "/settings/default_retention", wanted)[0] == 200
    assert bucket(admin).default_retention == {"mode": "COMPLIANCE", "years": 2}
    assert post(admin, "/settings/default_retention", wanted | {"period": ""})[0] == 422


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        ("quota", {"quota_bytes": "lots"}, "Write a size such as"),
        ("tags", {"tags": "team"}, "Line 1 is not NAME=value."),
        ("tags", {"tags": "aws:team=a"}, "System tags cannot be added"),
        ("default_retention", {"mode": "GOVERNANCE"}, "Locking by default needs it."),
    ],
)
def test_what_is_wrong_stands_at_the_field(admin: Principal, section: str, values: Any, said: str) -> None:
    for htmx in (True, False):
        status, text = post(admin, f"/settings/{section}", values, htmx=htmx)
        assert status == 422
        assert said in text
        assert all(value in text for value in values.values())


def test_rules_are_added_typed_and_saved(admin: Principal) -> None:
    status, text = post(admin, "/settings/lifecycle", {"do": "add"})
    assert status == 200
    assert 'name="lifecycle-1-prefix"' in text
    typed = {"rule": ["1"], "lifecycle-1-prefix": "logs/", "lifecycle-1-expire_days": "nine"}
    status, text = post(admin, "/settings/lifecycle", {**typed, "do": "add"})
    assert (status, "logs/" in text, "nine" in text) == (200, True, True)
    assert 'name="lifecycle-2-prefix"' in text
    assert post(admin, "/settings/lifecycle", {**typed, "do": "save"})[0] == 422
    assert bucket(admin).lifecycle == []
    right = {
        "rule": ["1", "2"],
        "lifecycle-1-name": "logs", "lifecycle-1-enabled": "on", "lifecycle-1-prefix": "logs/",
        "lifecycle-1-tags": "kind=old", "lifecycle-1-expire_days": "9", "lifecycle-1-noncurrent_days": "2",
        "lifecycle-1-newer_versions": "3",
        "lifecycle-2-name": "uploads", "lifecycle-2-abort_days": "1",
    }  # fmt: skip
    assert post(admin, "/settings/lifecycle", {**right, "do": "save"})[0] == 200
    assert bucket(admin).lifecycle == [
        {
            "ID": "logs",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "kind", "Value": "old"}]}},
            "Expiration": {"Days": 9},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 3},
        },
        {
            "ID": "uploads",
            "Status": "Disabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
    ]
    page = browser(admin).get(f"{AT}/settings").content.decode()
    assert 'value="uploads"' in page
    status, text = post(admin, "/settings/lifecycle", {**right, "do": "remove-1"})
    assert 'value="logs/"' not in text
    assert "Not saved yet." in text
    assert len(bucket(admin).lifecycle) == 2
    status, text = post(admin, "/settings/lifecycle", {"do": "remove-1", "rule": ["1"]})
    assert "There are no rules." in text
    assert "Not saved yet." in text and ">Save</button>" in text
    status, text = post(
        admin, "/settings/lifecycle", {"rule": ["1"], "lifecycle-1-enabled": "on", "do": "save"}
    )
    assert status == 422
    assert "At least one action needs to be specified" in text


def test_rules_of_cors(admin: Principal) -> None:
    right = {
        "rule": ["4"], "cors-4-origins": "https://a.example\nhttps://b.example", "cors-4-methods": ["GET", "PUT"],
        "cors-4-headers": "*", "cors-4-max_age": "60",
    }  # fmt: skip
    assert post(admin, "/settings/cors", {**right, "do": "save"})[0] == 200
    kept = [
        {
            "AllowedMethods": ["GET", "PUT"],
            "AllowedOrigins": ["https://a.example", "https://b.example"],
            "AllowedHeaders": ["*"],
            "MaxAgeSeconds": 60,
        }
    ]
    assert bucket(admin).cors == kept
    wrong = {**right, "cors-4-origins": "https://*.*.example", "do": "save"}
    status, text = post(admin, "/settings/cors", wrong)
    assert status == 422
    assert "can not have more than one wildcard" in text
    assert "https://*.*.example" in text
    assert bucket(admin).cors == kept


def test_a_policy_is_written_with_statements_to_begin_with(admin: Principal) -> None:
    status, text = post(
        admin, "/policy", {"do": "add", "policy": "", "statement": "public-read", "prefix": "public/"}
    )
    assert status == 200
    assert "arn:aws:s3:::docs/public/*" in text
    assert bucket(admin).policy == ""
    status, text = post(admin, "/policy", {"do": "add", "policy": "{no", "statement": "tls-only"})
    assert (status, "{no" in text) == (422, True)
    status, text = post(admin, "/policy", {"do": "add", "policy": "{}", "statement": "user-read"})
    assert (status, "Name the user." in text) == (422, True)
    wrong = {"Version": "2012-10-17", "Statement": [{"Effect": "Permit", "Principal": "*", "Action": "s3:*"}]}
    status, text = post(admin, "/policy", {"do": "save", "policy": json.dumps(wrong)})
    assert (status, "Statement[0]" in text, "Permit" in text) == (422, True, True)
    answer = browser(admin).post(
        f"{AT}/policy", {"do": "add", "policy": "", "statement": "tls-only"}, headers=HTMX
    )
    drafted = answer.context["form"]["policy"].value()
    status, text = post(admin, "/policy", {"do": "save", "policy": drafted})
    assert status == 200
    assert bucket(admin).policy == drafted
    assert "has no effect" not in text
    vain = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket(admin).name}/*",
    }
    status, text = post(admin, "/policy", {"do": "save", "policy": json.dumps({"Statement": vain})})
    assert (status, "Statement 1 has no effect on s3:ListBucket" in text) == (200, True)
    assert post(admin, "/policy", {"do": "remove"})[0] == 200
    assert bucket(admin).policy == ""


def test_who_may_do_what(admin: Principal) -> None:
    viewer = factories.member(admin.tenant, "viewer")
    ask = {"principal": viewer.label, "action": "s3:PutObject", "key": "a", "secure": "on"}
    status, text = post(viewer, "/policy/simulate", ask)
    assert (status, "Denied" in text, "storage.object.write" in text) == (200, True, True)
    draft: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam:::user/{viewer.label}"}, "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::docs/*",
        },
    }  # fmt: skip
    status, text = post(viewer, "/policy/simulate", {**ask, "policy": json.dumps(draft), "uses_draft": "on"})
    assert (status, "Allowed" in text, "Statement 1" in text) == (200, True, True)
    draft["Statement"]["Condition"] = {"StringEquals": {"s3:x-amz-acl": "private"}}
    asked = {**ask, "policy": json.dumps(draft), "uses_draft": "on"}
    for context, word in (
        ("", "Denied"),
        ("\ns3:x-amz-acl = private", "Denied"),
        ("s3:x-amz-acl=private", "Allowed"),
    ):
        status, text = post(viewer, "/policy/simulate", {**asked, "context": context})
        assert (status, word in text) == (200, True), context
    for context, words in (("private", "Each line is a key"), ("s3:none=x", "no condition key")):
        status, text = post(viewer, "/policy/simulate", {**ask, "context": context})
        assert (status, words in text) == (422, True), context
    status, text = post(viewer, "/policy/simulate", {**ask, "principal": "nobody"}, htmx=False)
    assert (status, "No active member" in text) == (422, True)
