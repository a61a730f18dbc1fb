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
