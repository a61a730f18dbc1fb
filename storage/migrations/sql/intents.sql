-- Journals writes to remote backends. verdicts: NULL = journalled; 'bucket_gone', 'quota' = refused.
-- The announced sizes of open intents count against the quotas, for what they bring cannot be refused later; what they
-- replace makes room, once. A completed upload (p_parts) brings what its parts have been counted for.
-- p_version: the one version that a delete removes, else ''. p_holder: the process that will hear of their ends.
CREATE FUNCTION storage_begin_intents(
    p_tenant bigint, p_id uuid[], p_kind text[], p_bucket bigint[], p_key text[], p_size bigint[], p_type text[],
    p_metadata jsonb[], p_headers jsonb[], p_checksums jsonb[], p_writer text[], p_first_check interval,
    p_version text[] DEFAULT NULL, p_tags jsonb[] DEFAULT NULL, p_lock jsonb[] DEFAULT NULL,
    p_sse jsonb[] DEFAULT NULL, p_parts jsonb[] DEFAULT NULL, p_holder integer DEFAULT NULL
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    total CONSTANT integer := cardinality(p_id);
    held storage_usage;
    quota bigint;
    used bigint;
    buckets bigint[];
    bytes_quotas bigint[];
    objects_quotas bigint[];
    bytes_used bigint[];
    objects_used bigint[];
    versionings text[];
    at integer;
    replaced bigint;
    delta bigint;
    verdicts text[] := array_fill(NULL::text, ARRAY[total]);
BEGIN
    SELECT storage_bytes INTO quota FROM tenants_quota WHERE tenant_id = p_tenant;
    SELECT array_agg(b.id), array_agg(b.quota_bytes), array_agg(b.quota_objects), array_agg(b.versioning)
    INTO buckets, bytes_quotas, objects_quotas, versionings
    FROM storage_bucket b WHERE b.tenant_id = p_tenant AND b.id = ANY (p_bucket);
    FOR i IN 1 .. total LOOP
        IF array_position(buckets, p_bucket[i]) IS NULL THEN
            verdicts[i] := 'bucket_gone';
        END IF;
    END LOOP;
    IF
        quota IS NOT NULL OR cardinality(array_remove(bytes_quotas, NULL)) > 0
        OR cardinality(array_remove(objects_quotas, NULL)) > 0
    THEN
        held := storage_lock_usage(p_tenant);
        SELECT held.bytes + held.upload_bytes + coalesce(sum(size), 0) INTO used
        FROM storage_writeintent WHERE tenant_id = p_tenant AND kind = 'put' AND parts IS NULL;
        SELECT
            array_agg(coalesce(u.bytes + u.upload_bytes, 0) + announced.bytes ORDER BY b.n),
            array_agg(coalesce(u.objects_count, 0) + announced.objects ORDER BY b.n)
        INTO bytes_used, objects_used
        FROM unnest(buckets) WITH ORDINALITY AS b (id, n)
        LEFT JOIN storage_bucketusage u ON u.bucket_id = b.id,
        LATERAL (
            SELECT coalesce(sum(w.size) FILTER (WHERE w.parts IS NULL), 0)::bigint AS bytes, count(*) AS objects
            FROM storage_writeintent w
            WHERE w.tenant_id = p_tenant AND w.bucket_id = b.id AND w.kind = 'put'
        ) announced;
        FOR i IN 1 .. total LOOP
            CONTINUE WHEN verdicts[i] IS NOT NULL OR p_kind[i] <> 'put';
            at := array_position(buckets, p_bucket[i]);
            replaced := CASE WHEN versionings[at] <> 'Enabled' THEN (
                SELECT max(r.size) FROM (
                    SELECT o.size FROM storage_object o
                    WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket[i] AND o.key = p_key[i]
                        AND o.version_id = 'null'
                    UNION ALL
                    SELECT v.size FROM storage_objectversion v
                    WHERE v.tenant_id = p_tenant AND v.bucket_id = p_bucket[i] AND v.key = p_key[i]
                        AND v.version_id = 'null' AND NOT v.is_delete_marker
                ) r
            ) END;
            delta := CASE WHEN p_parts[i] IS NULL THEN p_size[i] ELSE 0 END;
            IF
                replaced IS NOT NULL AND array_position(p_key[: i - 1], p_key[i]) IS NULL
                AND NOT EXISTS (
                    SELECT FROM storage_writeintent w
                    WHERE w.tenant_id = p_tenant AND w.bucket_id = p_bucket[i] AND w.key = p_key[i] AND w.kind = 'put'
                )
            THEN
                delta := delta - replaced;
            END IF;
            IF
                (delta > 0 OR p_parts[i] IS NOT NULL)
                AND (used + delta > quota OR bytes_used[at] + delta > bytes_quotas[at])  -- NULL: never
                OR (replaced IS NULL AND objects_used[at] + 1 > objects_quotas[at])
            THEN
                verdicts[i] := 'quota';
            ELSE
                used := used + delta;
                bytes_used[at] := bytes_used[at] + delta;
                objects_used[at] := objects_used[at] + CASE WHEN replaced IS NULL THEN 1 ELSE 0 END;
            END IF;
        END LOOP;
    END IF;
    INSERT INTO storage_writeintent (
        id, tenant_id, kind, bucket_id, key, size, content_type, metadata, headers, checksums, tags, lock, sse,
        parts, version_id, writer, began_at, next_check_at, contested, holder
    )
    SELECT
        w.id, p_tenant, w.kind, w.bucket, w.key, w.size, w.type, w.metadata, w.headers, w.checksums,
        coalesce(w.tags, '{}'), coalesce(w.lock, '{}'), w.sse, w.parts, coalesce(w.version, ''), w.writer,
        clock_timestamp(), clock_timestamp() + p_first_check, false, p_holder
    FROM unnest(
        p_id, p_kind, p_bucket, p_key, p_size, p_type, p_metadata, p_headers, p_checksums, p_tags, p_lock, p_sse,
        p_parts, p_version, p_writer, verdicts
    ) AS w (
        id, kind, bucket, key, size, type, metadata, headers, checksums, tags, lock, sse, parts, version, writer,
        verdict
    )
    WHERE w.verdict IS NULL;
    RETURN verdicts;
END $$;


-- Commits journalled writes that the backend has confirmed. verdicts as of storage_commit, and 'settled' for an
-- intent that is gone: the sweeper was faster. p_size NULL: as announced. p_version: the id that the backend gave the
-- new version or delete marker.
-- Writes of one key that overlap may reach the backend in another order than this: the later one to commit stays,
-- as 'verify', for the sweeper to look which of them is there, or which of their versions is the newest.
CREATE FUNCTION storage_commit_intents(
    p_tenant bigint, p_id uuid[], p_etag text[], p_size bigint[], p_next_check interval,
    p_version text[] DEFAULT NULL
) RETURNS text[] LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    verdicts text[] := array_fill('settled'::text, ARRAY[cardinality(p_id)]);
    -- Of those that are there: their places in the batch, and their turns, as storage_commit takes a key but once.
    places integer[];
    turns integer[];
    at integer := 0;
    -- Of those whose turn it is.
    mine integer[];
    ids uuid[];
    deletes boolean[];
    buckets bigint[];
    keys text[];
    sizes bigint[];
    etags text[];
    types text[];
    metadata jsonb[];
    headers jsonb[];
    checksums jsonb[];
    moments timestamptz[];
    writers text[];
    removed text[];
    given text[];
    tags jsonb[];
    locks jsonb[];
    sse jsonb[];
    parts jsonb[];
    done text[];
BEGIN
    PERFORM storage_lock_usage(p_tenant);
    SELECT array_agg(f.n), array_agg(f.turn) INTO places, turns
    FROM (
        SELECT i.n, row_number() OVER (PARTITION BY i.bucket_id, i.key ORDER BY i.n) AS turn
        FROM (
            SELECT w.n, i.bucket_id, i.key
            FROM unnest(p_id) WITH ORDINALITY AS w (id, n)
            JOIN storage_writeintent i ON i.id = w.id AND i.tenant_id = p_tenant AND i.kind <> 'verify'
            FOR UPDATE OF i
        ) i
    ) f;
    LOOP
        at := at + 1;
        EXIT WHEN array_position(turns, at) IS NULL;
        SELECT
            array_agg(f.n), array_agg(f.id), array_agg(f.kind = 'delete'), array_agg(f.bucket_id),
            array_agg(f.key::text), array_agg(coalesce(p_size[f.n], f.size)), array_agg(p_etag[f.n]),
            array_agg(f.content_type), array_agg(f.metadata), array_agg(f.headers), array_agg(f.checksums),
            array_agg(clock_timestamp()), array_agg(f.writer::text),
            CASE WHEN bool_or(f.version_id <> '') THEN array_agg(nullif(f.version_id, '')) END,
            CASE WHEN bool_or(p_version[f.n] IS NOT NULL) THEN array_agg(p_version[f.n]) END,
            array_agg(f.tags), array_agg(f.lock), array_agg(f.sse), array_agg(f.parts)
        INTO
            mine, ids, deletes, buckets, keys, sizes, etags, types, metadata, headers, checksums, moments, writers,
            removed, given, tags, locks, sse, parts
        FROM (
            SELECT w.n, i.*
            FROM unnest(places, turns) AS w (n, turn)
            JOIN storage_writeintent i ON i.id = p_id[w.n] AND i.tenant_id = p_tenant
            WHERE w.turn = at
        ) f;
        SELECT c.verdicts INTO done FROM storage_commit(
            p_tenant, false, deletes, buckets, keys, sizes, etags, types, metadata, headers, checksums, moments,
            NULL, NULL, writers, p_version => removed, p_given => given, p_tags => tags, p_lock => locks,
            p_sse => sse, p_parts => parts
        ) AS c;
        FOR i IN 1 .. cardinality(mine) LOOP
            verdicts[mine[i]] := done[i];
        END LOOP;
        UPDATE storage_writeintent o SET contested = true
        FROM unnest(ids, buckets, keys) AS m (id, bucket, key)
        WHERE o.bucket_id = m.bucket AND o.key = m.key AND o.tenant_id = p_tenant AND o.id <> m.id
            AND NOT o.contested;
        -- Who removes one version for good competes with nobody, but for the null version, which is written again.
        UPDATE storage_writeintent i SET kind = 'verify', next_check_at = clock_timestamp() + p_next_check
        FROM unnest(ids) AS m (id)
        WHERE i.id = m.id AND i.tenant_id = p_tenant AND i.contested AND i.version_id IN ('', 'null');
        DELETE FROM storage_writeintent i USING unnest(ids) AS m (id)
        WHERE i.id = m.id AND i.tenant_id = p_tenant AND i.kind <> 'verify';
    END LOOP;
    RETURN verdicts;
END $$;
