"""What the S3 front works with: the index, the store, and names found in the snapshot or, once, the database."""

from datetime import UTC, datetime

from gateway.decision.context import DecisionContext
from gateway.decision.lookups import Lookups
from gateway.metrics.series import RATE_LIMITED
from storage import snapshot, temporary
from storage.index import BucketInfo, ObjectIndex
from storage.rates import RATES
from storage.s3.doubts import Doubts
from storage.s3.errors import S3Error
from storage.s3.places import Places
from storage.s3.uses import Uses
from storage.snapshot import AccessKeyInfo, BackendInfo
from storage.store.blobs import BlobStore


class Front:
    """One per process and context, shared by all requests."""

    def __init__(self, ctx: DecisionContext) -> None:
        self.ctx = ctx
        self.domain: str = ctx.settings.S3_DOMAIN
        self.index = ObjectIndex(ctx.db, ctx.redis, keep=ctx.settings.STORAGE_KEPT_ROWS)
        self.store = BlobStore(ctx.settings.STORAGE_ROOT, ctx.settings.STORAGE_FOLDERS)
        self.store.prepare()
        self.inline_limit: int = ctx.settings.STORAGE_INLINE_LIMIT
        self._find_key = Lookups(self._ask_key)
        self._find_bucket = Lookups(self._ask_bucket)
        self._uses = Uses(ctx.db)
        self.doubts = Doubts(ctx.db)
        self.places = Places()
        self.open_writes: set[str] = set()
        """The intents of writes that the edge is at, as far as this process began them."""

    def anonymous(self, host: str) -> AccessKeyInfo:
        """Who shows no credential, in the tenant whose domain was asked; on our own hosts in none."""
        tenant_id = self.ctx.snapshot.get(snapshot.DOMAINS).get(host, snapshot.CLAIMED)
        return AccessKeyInfo("", "", tenant_id, "", 0, frozenset(), "anonymous", kept=False)

    async def access_key(self, access_key_id: str, security_token: str = "") -> AccessKeyInfo:
        """A key that works now, or temporary credentials of one. Raises InvalidAccessKeyId, InvalidToken."""
        if temporary.is_temporary(access_key_id):
            opened = temporary.opened(access_key_id, security_token)
            if opened is None and security_token:
                raise S3Error("InvalidToken")
            if opened is None:  # without its token nobody knows it
                raise S3Error("InvalidAccessKeyId", extra={"AWSAccessKeyId": access_key_id})
            parent = await self._kept_key(opened.parent)
            if parent is None or self._has_ended(opened.api_key):
                raise S3Error("InvalidAccessKeyId", extra={"AWSAccessKeyId": access_key_id})
            return temporary.narrowed(parent, opened)
        found = await self._kept_key(access_key_id)
        if found is None:
            raise S3Error("InvalidAccessKeyId", extra={"AWSAccessKeyId": access_key_id})
        if security_token:
            raise S3Error("InvalidToken")  # a key that is kept has none
        return found

    async def bucket(self, tenant_id: int, name: str, *, fresh: bool = False) -> BucketInfo:
        """A bucket of the tenant; `fresh` asks the database in any case. Raises NoSuchBucket."""
        found = await self.find_bucket(tenant_id, name, fresh=fresh)
        if found is None:
            raise S3Error("NoSuchBucket", extra={"BucketName": name})
        return found

    async def sought_bucket(
        self, access: AccessKeyInfo, name: str, *, fresh: bool = False
    ) -> BucketInfo | None:
        """The bucket that a caller means: of its own tenant, else the one that has claimed the name.

        On a tenant's domain who shows no credential finds that tenant's buckets alone. `<tenant>:<name>`, which no
        bucket is called, is another tenant's claimed one, also where the own tenant has one of the same name.
        """
        if ":" in name:
            owner, _, name = name.partition(":")
            claimed = await self.find_bucket(snapshot.CLAIMED, name, fresh=fresh)
            return claimed if claimed and owner in ("", claimed.owner) else None
        found = await self.find_bucket(access.tenant_id, name, fresh=fresh)
        if found is None and access.tenant_id != snapshot.CLAIMED and not access.is_anonymous:
            found = await self.find_bucket(snapshot.CLAIMED, name, fresh=fresh)
        return found

    async def find_bucket(self, tenant_id: int, name: str, *, fresh: bool = False) -> BucketInfo | None:
        """As `bucket`; None where there is none."""
        found = None if fresh else self.ctx.snapshot.get(snapshot.BUCKETS).get((tenant_id, name))
        return found or await self._find_bucket((tenant_id, name))

    async def backend(self, bucket: BucketInfo) -> BackendInfo:
        """Where a bucket's bytes are."""
        found = self.ctx.snapshot.get(snapshot.BACKENDS).get(bucket.backend_id)
        if found is None:
            found = (await self.ctx.snapshot.refresh(snapshot.BACKENDS)).get(bucket.backend_id)
        if found is None:
            raise S3Error("ServiceUnavailable", "The bucket's backend is not known here yet.")
        return found

    def count(self, access: AccessKeyInfo, address: str) -> None:
        """Count a request of a caller who is proven, or anybody could use up their rate. Raises SlowDown.

        A tenant with a rate of its own spends it with all its keys together; of the others each key counts alone.
        The anonymous count by `address`, and spend nothing of the tenant's.
        """
        limits = self.ctx.limits
        own = self.ctx.snapshot.get(RATES).get(access.tenant_id)
        if access.is_anonymous:
            rate = self.ctx.settings.S3_RATE_LIMIT if own is None else own
            wait = limits.take("s3-anonymous", (access.tenant_id, address), rate)
        elif own is None:
            wait = limits.take("s3", access.root, self.ctx.settings.S3_RATE_LIMIT)
        else:
            wait = limits.take("s3", access.tenant_id, own)
        if wait:
            RATE_LIMITED.labels("s3").inc()
            raise S3Error("SlowDown", headers={"Retry-After": str(wait)})

    async def check_room(self, bucket: BucketInfo, size: int, key: str | None = None) -> None:
        """Refuse, before any of a body is sent, what the tenant's quota cannot take. Raises QuotaExceeded.

        What the body will replace at `key` makes room for it.
        """
        if not size or bucket.tenant_id not in self.ctx.snapshot.get(snapshot.QUOTAS):
            return
        if await self.index.fits(bucket.tenant_id, size):
            return
        row = None if key is None else await self.index.head(bucket, key)
        if row is not None and size <= row.size:
            return
        if row is None or not await self.index.fits(bucket.tenant_id, size - row.size):
            raise S3Error("QuotaExceeded")

    def used(self, access: AccessKeyInfo) -> None:
        """Note that a key was used; the notes of a while are written at once."""
        if not access.is_anonymous:
            self._uses.note(access.root)

    def _has_ended(self, api_key: int | None) -> bool:
        ended_at = None if api_key is None else self.ctx.snapshot.get(snapshot.ENDED_API_KEYS).get(api_key)
        return ended_at is not None and ended_at <= datetime.now(UTC)

    async def _kept_key(self, access_key_id: str) -> AccessKeyInfo | None:
        found = self.ctx.snapshot.get(snapshot.ACCESS_KEYS).get(access_key_id)
        return found or await self._find_key(access_key_id)

    async def _ask_key(self, access_key_id: str) -> AccessKeyInfo | None:
        async with self.ctx.db.wide() as conn:
            return await snapshot.find_access_key(conn, access_key_id)

    async def _ask_bucket(self, key: tuple[int, str]) -> BucketInfo | None:
        async with self.ctx.db.wide() as conn:
            return await snapshot.find_bucket(conn, *key)
