"""What every remote provider must do: one suite, run against the fake, moto and rclone's server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from storage.providers import BucketNotEmpty, ObjectProvider

Put = Callable[[str, str, bytes], None]


class RemoteProviderContract:
    """Subclasses give `provider`, and `put(bucket, key, body)`: a client's write, past the provider."""

    @pytest.fixture
    def provider(self) -> ObjectProvider:
        raise NotImplementedError

    @pytest.fixture
    def put(self) -> Put:
        raise NotImplementedError

    def test_the_connection_works(self, provider: ObjectProvider) -> None:
        assert provider.is_remote
        provider.check()

    def test_a_bucket_is_made_and_removed_however_often(self, provider: ObjectProvider) -> None:
        for _ in range(2):
            provider.ensure_bucket("gh-again")
        assert provider.head("gh-again", "nothing") is None
        for _ in range(2):
            provider.remove_bucket("gh-again")

    def test_an_object_is_seen_and_deleted(self, provider: ObjectProvider, put: Put) -> None:
        provider.ensure_bucket("gh-objects")
        put("gh-objects", "a b/ü+%.txt", b"hello")
        found = provider.head("gh-objects", "a b/ü+%.txt")
        assert found is not None
        assert (found.size, found.etag) == (5, "5d41402abc4b2a76b9719d911017c592")
        assert abs(found.last_modified - datetime.now(UTC)) < timedelta(minutes=1)
        for _ in range(2):
            provider.delete("gh-objects", "a b/ü+%.txt")
        assert provider.head("gh-objects", "a b/ü+%.txt") is None

    def test_a_bucket_is_listed_page_by_page(self, provider: ObjectProvider, put: Put) -> None:
        provider.ensure_bucket("gh-listed")
        for key in ("a", "b c/ü+%.txt", "d/e"):
            put("gh-listed", key, b"x" * len(key))
        page = provider.list_entries("gh-listed")
        assert [(entry.key, entry.size) for entry in page.entries] == [
            ("a", 1),
            ("b c/ü+%.txt", 11),
            ("d/e", 3),
        ]
        assert page.next is None and all(entry.etag for entry in page.entries)
        assert [entry.key for entry in provider.list_entries("gh-listed", after="a").entries] == [
            "b c/ü+%.txt",
            "d/e",
        ]
        provider.empty_bucket("gh-listed")
        provider.remove_bucket("gh-listed")

    def test_a_full_bucket_stays(self, provider: ObjectProvider, put: Put) -> None:
        provider.ensure_bucket("gh-full")
        put("gh-full", "k", b"x")
        with pytest.raises(BucketNotEmpty):
            provider.remove_bucket("gh-full")
        assert provider.head("gh-full", "k") is not None
        provider.delete("gh-full", "k")
        provider.remove_bucket("gh-full")

    def test_a_bucket_is_emptied_however_often(self, provider: ObjectProvider, put: Put) -> None:
        provider.ensure_bucket("gh-emptied")
        for key in ("a", "b c/ü+%.txt", "d/e"):
            put("gh-emptied", key, b"x")
        for _ in range(2):
            provider.empty_bucket("gh-emptied")
        assert provider.head("gh-emptied", "b c/ü+%.txt") is None
        provider.remove_bucket("gh-emptied")
        provider.empty_bucket("gh-emptied")


class VersionedProviderContract(RemoteProviderContract):
    """For those that keep versions."""

    def test_versions_are_kept_listed_and_removed(self, provider: ObjectProvider, put: Put) -> None:
        provider.ensure_bucket("gh-versions")
        provider.set_versioning("gh-versions", enabled=True)
        for body in (b"1", b"22"):
            put("gh-versions", "k", body)
        put("gh-versions", "z", b"333")
        second = provider.head("gh-versions", "k")
        assert second is not None and second.version_id
        marker = provider.delete("gh-versions", "k")
        assert marker.delete_marker and marker.version_id
        assert provider.head("gh-versions", "k") is None
        assert provider.head("gh-versions", "k", second.version_id) == second
        listed = provider.list_entries("gh-versions", versions=True).entries
        shown = [(entry.key, entry.size, entry.is_latest, entry.is_delete_marker) for entry in listed]
        assert shown == [
            ("k", 0, True, True),
            ("k", 2, False, False),
            ("k", 1, False, False),
            ("z", 3, True, False),
        ]
        assert listed[1].version_id == second.version_id
        after = provider.list_entries("gh-versions", after="k", versions=True)
        assert [entry.key for entry in after.entries] == ["z"]
        provider.delete("gh-versions", "k", marker.version_id)
        assert provider.head("gh-versions", "k") == second
        for _ in range(2):
            provider.empty_bucket("gh-versions")
        provider.remove_bucket("gh-versions")
