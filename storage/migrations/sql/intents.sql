-- Journals writes to remote backends. verdicts: NULL = journalled; 'bucket_gone', 'quota' = refused.
-- The announced sizes of open intents count against the quotas, for what they bring cannot be refused later.
-- p_version: the one version that a delete removes, else ''.
CREATE FUNCTION storage_begin_intents(
    p_tenant bigint, p_id uuid[], p_kind text[], p_bucket bigint[], p_key text[], p_size bigint[], p_type text[],
    p_metadata jsonb[], p_headers jsonb[], p_checksums jsonb[], p_writer text[], p_first_check interval,
    p_version text[] DEFAULT NULL, p_tags jsonb[] DEFAULT NULL, p_lock jsonb[] DEFAULT NULL,
    p_sse jsonb[] DEFAULT NULL, p_parts jsonb[] DEFAULT NULL
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
    at integer;
    verdicts text[] := array_fill(NULL::text, ARRAY[total]);
BEGIN
    SELECT storage_bytes INTO quota FROM tenants_quota WHERE tenant_id = p_tenant;
    SELECT array_agg(b.id), array_agg(b.quota_bytes), array_agg(b.quota_objects)
    INTO buckets, bytes_quotas, objects_quotas
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
        FROM storage_writeintent WHERE tenant_id = p_tenant AND kind = 'put';
        SELECT
            array_agg(coalesce(u.bytes + u.upload_bytes, 0) + announced.bytes ORDER BY b.n),
            array_agg(coalesce(u.objects_count, 0) + announced.objects ORDER BY b.n)
        INTO bytes_used, objects_used
        FROM unnest(buckets) WITH ORDINALITY AS b (id, n)
        LEFT JOIN storage_bucketusage u ON u.bucket_id = b.id,
        LATERAL (
            SELECT coalesce(sum(w.size), 0)::bigint AS bytes, count(*) AS objects FROM storage_writeintent w
            WHERE w.tenant_id = p_tenant AND w.bucket_id = b.id AND w.kind = 'put'
        ) announced;
        FOR i IN 1 .. total LOOP
            CONTINUE WHEN verdicts[i] IS NOT NULL OR p_kind[i] <> 'put';
            at := array_position(buckets, p_bucket[i]);
            IF
                used + p_size[i] > quota OR bytes_used[at] + p_size[i] > bytes_quotas[at]  -- NULL: never
                OR objects_used[at] + 1 > objects_quotas[at]
            THEN
                verdicts[i] := 'quota';
            ELSE
                used := used + p_size[i];
                bytes_used[at] := bytes_used[at] + p_size[i];
                objects_used[at] := objects_used[at] + 1;
            END IF;
        END LOOP;
    END IF;
    INSERT INTO storage_writeintent (
        id, tenant_id, kind, bucket_id, key, size, content_type, metadata, headers, checksums, tags, lock, sse,
        parts, version_id, writer, began_at, next_check_at, contested
    )
    SELECT
        w.id, p_tenant, w.kind, w.bucket, w.key, w.size, w.type, w.metadata, w.headers, w.checksums,
        coalesce(w.tags, '{}'), coalesce(w.lock, '{}'), w.sse, w.parts, coalesce(w.version, ''), w.writer,
        clock_timestamp(), clock_timestamp() + p_first_check, false
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
-- as 'verify', for the sweeper to look which of them is there.
CREATE FUNCTION storage_commit_intents(
    p_tenant bigint, p_id uuid[], p_etag text[], p_size bigint[], p_next_check interval,
    p_version text[] DEFAULT NULL
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    verdicts text[] := array_fill(NULL::text, ARRAY[cardinality(p_id)]);
    mine storage_writeintent;
BEGIN
    PERFORM storage_lock_usage(p_tenant);
    FOR i IN 1 .. cardinality(p_id) LOOP
        SELECT * INTO mine FROM storage_writeintent
        WHERE tenant_id = p_tenant AND id = p_id[i] AND kind <> 'verify' FOR UPDATE;
        IF NOT FOUND THEN
            verdicts[i] := 'settled';
            CONTINUE;
        END IF;
        verdicts[i] := (SELECT done.verdicts[1] FROM storage_commit(
            p_tenant, false, ARRAY[mine.kind = 'delete'], ARRAY[mine.bucket_id], ARRAY[mine.key],
            ARRAY[coalesce(p_size[i], mine.size)], ARRAY[p_etag[i]], ARRAY[mine.content_type],
            ARRAY[mine.metadata], ARRAY[mine.headers], ARRAY[mine.checksums], ARRAY[clock_timestamp()],
            ARRAY[NULL::text], ARRAY[NULL::bytea], ARRAY[mine.writer::text],
            p_version => ARRAY[nullif(mine.version_id, '')], p_given => ARRAY[p_version[i]],
            p_tags => ARRAY[mine.tags], p_lock => ARRAY[mine.lock], p_sse => ARRAY[mine.sse],
            p_parts => ARRAY[mine.parts]
        ) AS done);
        UPDATE storage_writeintent SET contested = true
        WHERE tenant_id = p_tenant AND bucket_id = mine.bucket_id AND key = mine.key AND id <> mine.id;
        -- Versions with ids of their own do not compete.
        IF mine.contested AND coalesce(p_version[i], nullif(mine.version_id, ''), 'null') = 'null' THEN
            UPDATE storage_writeintent SET kind = 'verify', next_check_at = clock_timestamp() + p_next_check
            WHERE id = mine.id;
        ELSE
            DELETE FROM storage_writeintent WHERE id = mine.id;
        END IF;
    END LOOP;
    RETURN verdicts;
END $$;
