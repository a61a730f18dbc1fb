-- Puts and deletes of objects, whether their buckets keep versions or not. As index.sql says: one round trip, the
-- tenant's usage row first (whoever changes a bucket's settings takes it too, so a write knows them exactly), events
-- last.
--
-- A key has at most one row in storage_object, its newest version, unless that is a delete marker: then the marker in
-- storage_objectversion is the newest, and its noncurrent_since is null.

-- Orders the versions of a key; also across tenants, which is no harm.
CREATE SEQUENCE storage_version_seq;


-- Whether a version with this lock may not be removed at `p_at`.
CREATE FUNCTION storage_is_locked(p_lock jsonb, p_bypass boolean, p_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT p_lock <> '{}' AND (
        p_lock @> '{"hold": true}'
        OR (p_lock->>'until')::timestamptz > p_at AND NOT (p_lock->>'mode' = 'GOVERNANCE' AND p_bypass IS TRUE)
    ) IS TRUE
$$;


-- Whether what is there is not what a write expected: {"absent", "etag" ('*': any), "not_etag", "size", "modified"}.
CREATE FUNCTION storage_misfits(p_expect jsonb, p_etag text, p_size bigint, p_modified timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT p_expect IS NOT NULL AND (
        p_expect @> '{"absent": true}'
        OR p_expect->>'etag' NOT IN ('*', p_etag)
        OR p_expect->>'not_etag' = p_etag
        OR (p_expect->>'size')::bigint <> p_size
        OR (p_expect->>'modified')::timestamptz <> date_trunc('second', p_modified)
    ) IS TRUE
$$;


-- Until when a new version of a bucket is retained by default, as the version's lock has it.
CREATE FUNCTION storage_default_lock(p_retention jsonb, p_from timestamptz) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'mode', p_retention->'mode',
        'until', to_char(
            (p_from AT TIME ZONE 'UTC') + make_interval(
                years => coalesce((p_retention->>'years')::integer, 0),
                days => coalesce((p_retention->>'days')::integer, 0)
            ),
            'YYYY-MM-DD"T"HH24:MI:SS"Z"'
        )
    )
$$;


-- After the newest version of a key went: the newest that is left becomes what the key is.
CREATE FUNCTION storage_promote(p_tenant bigint, p_bucket bigint, p_key text) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    newest storage_objectversion;
BEGIN
    SELECT * INTO newest FROM storage_objectversion v
    WHERE v.tenant_id = p_tenant AND v.bucket_id = p_bucket AND v.key = p_key
    ORDER BY v.version_seq DESC LIMIT 1;
    IF newest.is_delete_marker THEN
        UPDATE storage_objectversion SET noncurrent_since = NULL WHERE id = newest.id;
    ELSIF newest.id IS NOT NULL THEN
        DELETE FROM storage_objectversion WHERE id = newest.id;
        INSERT INTO storage_object (
            tenant_id, bucket_id, key, version_id, version_seq, size, etag, content_type, metadata, headers,
            checksums, tags, lock, sse, parts, last_modified, writer, blob, inline
        ) VALUES (
            newest.tenant_id, newest.bucket_id, newest.key, newest.version_id, newest.version_seq, newest.size,
            newest.etag, newest.content_type, newest.metadata, newest.headers, newest.checksums, newest.tags,
            newest.lock, newest.sse, newest.parts, newest.last_modified, newest.writer, newest.blob, newest.inline
        );
    END IF;
END $$;


-- Puts and deletes of one tenant, in one transaction. No (bucket, key) may come twice, but for deletes of its several
-- versions. An array that is null has nothing for any row.
-- p_expect: as storage_misfits has it, on the current object, of a delete with a version on that one.
-- p_version: the one version that a delete removes; null: the current object.
-- p_given: the id that the new version (or delete marker) has on its backend; null: made here.
-- p_enforce = false lets pass what a backend has done already, whatever quotas and locks say.
-- verdicts: NULL = done; 'bucket_gone', 'object_gone', 'precondition', 'locked', 'quota' = refused;
-- 'absent' = nothing to delete.
-- versions: what was made or removed, null in buckets without versions. markers: whether that is a delete marker.
-- locks: what a new version got, where its bucket retains by default.
CREATE FUNCTION storage_commit(
    p_tenant bigint, p_enforce boolean, p_delete boolean[], p_bucket bigint[], p_key text[], p_size bigint[],
    p_etag text[], p_type text[], p_metadata jsonb[], p_headers jsonb[], p_checksums jsonb[],
    p_modified timestamptz[], p_blob text[], p_inline bytea[], p_writer text[], p_expect jsonb[] DEFAULT NULL,
    p_version text[] DEFAULT NULL, p_bypass boolean[] DEFAULT NULL, p_given text[] DEFAULT NULL,
    p_tags jsonb[] DEFAULT NULL, p_lock jsonb[] DEFAULT NULL, p_sse jsonb[] DEFAULT NULL,
    p_parts jsonb[] DEFAULT NULL, OUT verdicts text[], OUT versions text[], OUT markers boolean[], OUT locks jsonb[]
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    total CONSTANT integer := cardinality(p_key);
    held storage_usage;
    moment timestamptz;
    used bigint;
    quota bigint;
    -- The buckets of the batch.
    buckets bigint[];
    names text[];
    modes text[];
    retentions jsonb[];
    bytes_quotas bigint[];
    objects_quotas bigint[];
    bytes_used bigint[];
    objects_used bigint[];
    bytes_before bigint[];
    objects_before bigint[];
    -- Of each row: the current object, and the other version that it touches.
    old_ids bigint[];
    old_sizes bigint[];
    old_blobs text[];
    old_versions text[];
    old_locked boolean[];
    misfits boolean[];
    other_ids bigint[];
    other_sizes bigint[];
    other_blobs text[];
    other_markers boolean[];
    other_newest boolean[];
    other_locked boolean[];
    other_misfits boolean[];
    -- What is to be done.
    moves boolean[] := array_fill(NULL::boolean, ARRAY[total]);  -- the current object to the versions
    leaves boolean[] := array_fill(NULL::boolean, ARRAY[total]);  -- the current object is no more
    covers boolean[] := array_fill(NULL::boolean, ARRAY[total]);  -- the newest may be a marker, no more so
    seqs bigint[] := array_fill(NULL::bigint, ARRAY[total]);
    places integer[] := array_fill(NULL::integer, ARRAY[total]);
    freed bigint[] := array_fill(NULL::bigint, ARRAY[total]);
    dropped bigint[] := '{}';
    promoted integer[] := '{}';
    garbage text[] := '{}';
    acts boolean := false;
    any_moves boolean := false;
    any_leaves boolean := false;
    any_markers boolean := false;
    puts boolean := false;
    -- Of the row at hand.
    at integer;
    last_bucket bigint;
    target text;
    existed boolean;
    replaces boolean;
    drops boolean;
    promotes boolean;
    marks boolean;
    delta bigint;
    count integer;
    types text[];
    subjects text[];
    details jsonb[];
    writers text[];
BEGIN
    held := storage_lock_usage(p_tenant);
    moment := clock_timestamp();
    verdicts := array_fill(NULL::text, ARRAY[total]);
    versions := verdicts;
    markers := moves;
    used := held.bytes + held.upload_bytes;
    IF p_enforce THEN
        SELECT storage_bytes INTO quota FROM tenants_quota WHERE tenant_id = p_tenant;
    END IF;

    SELECT
        array_agg(b.id), array_agg(b.name), array_agg(b.versioning),
        array_agg(CASE WHEN b.object_lock AND b.versioning = 'Enabled' THEN b.default_retention END),
        array_agg(CASE WHEN p_enforce THEN b.quota_bytes END),
        array_agg(CASE WHEN p_enforce THEN b.quota_objects END),
        array_agg(coalesce(u.bytes + u.upload_bytes, 0)), array_agg(coalesce(u.objects_count, 0))
    INTO buckets, names, modes, retentions, bytes_quotas, objects_quotas, bytes_before, objects_before
    FROM storage_bucket b LEFT JOIN storage_bucketusage u ON u.bucket_id = b.id
    WHERE b.tenant_id = p_tenant AND b.id = ANY (p_bucket);
    bytes_used := bytes_before;
    objects_used := objects_before;

    SELECT
        array_agg(f.id), array_agg(f.size), array_agg(f.blob), array_agg(f.version_id), array_agg(f.locked),
        array_agg(f.misfit)
    INTO old_ids, old_sizes, old_blobs, old_versions, old_locked, misfits
    FROM (
        SELECT
            o.id, o.size, o.blob, o.version_id, storage_is_locked(o.lock, w.bypass, moment) AS locked,
            storage_misfits(w.expect, o.etag, o.size, o.last_modified) AS misfit
        FROM unnest(p_bucket, p_key, p_expect, p_bypass) WITH ORDINALITY AS w (bucket, key, expect, bypass, n)
        LEFT JOIN storage_object o ON o.tenant_id = p_tenant AND o.bucket_id = w.bucket AND o.key = w.key
        ORDER BY w.n
    ) f;

    -- A delete's version, or the one that has the id which a new version is to get.
    IF p_version IS NOT NULL OR p_given IS NOT NULL OR 'Suspended' = ANY (modes) THEN
        SELECT
            array_agg(f.id), array_agg(f.size), array_agg(f.blob), array_agg(f.is_delete_marker),
            array_agg(f.noncurrent_since IS NULL), array_agg(f.locked), array_agg(f.misfit)
        INTO other_ids, other_sizes, other_blobs, other_markers, other_newest, other_locked, other_misfits
        FROM (
            SELECT
                v.id, v.size, v.blob, v.is_delete_marker, v.noncurrent_since,
                storage_is_locked(v.lock, w.bypass, moment) AS locked,
                storage_misfits(w.expect, v.etag, v.size, v.last_modified) AS misfit
            FROM unnest(p_bucket, p_key, p_version, p_given, p_expect, p_bypass)
                WITH ORDINALITY AS w (bucket, key, version, given, expect, bypass, n)
            LEFT JOIN storage_objectversion v ON v.tenant_id = p_tenant AND v.bucket_id = w.bucket
                AND v.key = w.key AND v.version_id = coalesce(w.version, w.given, 'null')
            ORDER BY w.n
        ) f;
    END IF;

    FOR i IN 1 .. total LOOP
        IF last_bucket IS DISTINCT FROM p_bucket[i] THEN
            last_bucket := p_bucket[i];
            at := array_position(buckets, last_bucket);
        END IF;
        IF at IS NULL THEN
            verdicts[i] := 'bucket_gone';
            CONTINUE;
        END IF;
        existed := old_ids[i] IS NOT NULL;
        IF other_ids[i] IS NOT NULL AND array_position(dropped, other_ids[i]) IS NOT NULL THEN
            other_ids[i] := NULL;
        END IF;
        drops := false;
        promotes := false;
        marks := false;
        target := NULL;

        IF p_version[i] IS NOT NULL THEN
            replaces := existed AND old_versions[i] = p_version[i];
            drops := NOT replaces AND other_ids[i] IS NOT NULL;
            target := p_version[i];
            marks := drops AND other_markers[i];
            promotes := replaces OR drops AND other_newest[i];
            IF NOT replaces AND NOT drops THEN
                verdicts[i] := 'absent';
            ELSIF replaces AND misfits[i] OR drops AND other_misfits[i] THEN
                verdicts[i] := 'precondition';
            END IF;
        ELSIF existed AND misfits[i] THEN
            verdicts[i] := 'precondition';
        ELSIF NOT existed AND p_expect[i] IS NOT NULL AND (p_delete[i] OR p_expect[i] ? 'etag') THEN
            verdicts[i] := CASE WHEN p_delete[i] THEN 'absent' ELSE 'object_gone' END;
        ELSIF modes[at] = '' THEN
            replaces := existed;
            IF p_delete[i] AND NOT existed THEN
                verdicts[i] := 'absent';
            END IF;
        ELSE
            target := CASE
                WHEN modes[at] = 'Suspended' THEN 'null'
                ELSE coalesce(p_given[i], replace(gen_random_uuid()::text, '-', ''))
            END;
            replaces := existed AND old_versions[i] = target;
            -- In a batch with suspended buckets the other of a row in an enabled one is the null version.
            drops := other_ids[i] IS NOT NULL AND (modes[at] = 'Suspended' OR p_given[i] IS NOT NULL);
            marks := p_delete[i];
        END IF;
        IF p_enforce AND (replaces AND old_locked[i] OR drops AND other_locked[i]) THEN
            verdicts[i] := coalesce(verdicts[i], 'locked');
        END IF;
        CONTINUE WHEN verdicts[i] IS NOT NULL;

        delta := 0;
        count := 0;
        IF NOT p_delete[i] THEN
            delta := p_size[i];
            count := 1;
        END IF;
        freed[i] := 0;
        IF replaces THEN
            freed[i] := old_sizes[i];
            count := count - 1;
        END IF;
        IF drops AND NOT other_markers[i] THEN
            freed[i] := freed[i] + other_sizes[i];
            count := count - 1;
        END IF;
        delta := delta - freed[i];
        IF
            delta > 0 AND (used + delta > quota OR bytes_used[at] + delta > bytes_quotas[at])  -- NULL: never
            OR count > 0 AND objects_used[at] + count > objects_quotas[at]
        THEN
            verdicts[i] := 'quota';
            CONTINUE;
        END IF;
        used := used + delta;
        bytes_used[at] := bytes_used[at] + delta;
        IF count <> 0 THEN
            objects_used[at] := objects_used[at] + count;
        END IF;
        acts := true;
        places[i] := at;
        puts := puts OR NOT p_delete[i];
        IF replaces AND old_blobs[i] IS NOT NULL THEN
            garbage[cardinality(garbage) + 1] := old_blobs[i];
        END IF;
        IF modes[at] <> '' THEN
            versions[i] := target;
            markers[i] := marks;
        END IF;
        IF drops THEN
            dropped[cardinality(dropped) + 1] := other_ids[i];
            IF other_blobs[i] IS NOT NULL THEN
                garbage[cardinality(garbage) + 1] := other_blobs[i];
            END IF;
        END IF;
        IF promotes THEN
            promoted[cardinality(promoted) + 1] := i;
        END IF;
        IF p_delete[i] AND existed AND (replaces OR p_version[i] IS NULL) THEN
            leaves[i] := true;
            any_leaves := true;
        END IF;
        IF modes[at] <> '' AND p_version[i] IS NULL THEN
            seqs[i] := nextval('storage_version_seq');
            any_markers := any_markers OR marks;
            IF existed AND NOT replaces THEN
                moves[i] := true;
                any_moves := true;
            ELSIF NOT existed THEN
                covers[i] := true;
            END IF;
            IF retentions[at] IS NOT NULL AND NOT p_delete[i] AND NOT coalesce(p_lock[i] ? 'mode', false) THEN
                locks := coalesce(locks, array_fill(NULL::jsonb, ARRAY[total]));
                locks[i] := coalesce(p_lock[i], '{}') || storage_default_lock(retentions[at], p_modified[i]);
            END IF;
        END IF;
    END LOOP;
    IF NOT acts THEN
        RETURN;
    END IF;

    IF cardinality(dropped) > 0 THEN
        DELETE FROM storage_objectversion WHERE tenant_id = p_tenant AND id = ANY (dropped);
    END IF;
    IF any_moves THEN
        INSERT INTO storage_objectversion (
            tenant_id, bucket_id, key, version_id, version_seq, size, etag, content_type, metadata, headers,
            checksums, tags, lock, sse, parts, last_modified, writer, blob, inline, is_delete_marker,
            noncurrent_since
        )
        SELECT
            o.tenant_id, o.bucket_id, o.key, o.version_id, o.version_seq, o.size, o.etag, o.content_type,
            o.metadata, o.headers, o.checksums, o.tags, o.lock, o.sse, o.parts, o.last_modified, o.writer, o.blob,
            o.inline, false, moment
        FROM unnest(old_ids, moves) AS w (id, moved)
        JOIN storage_object o ON o.id = w.id
        WHERE w.moved;
    END IF;
    IF any_leaves THEN
        DELETE FROM storage_object o USING unnest(old_ids, leaves) AS w (id, leaves)
        WHERE w.leaves AND o.tenant_id = p_tenant AND o.id = w.id;
    END IF;
    IF array_position(covers, true) IS NOT NULL THEN
        UPDATE storage_objectversion m SET noncurrent_since = moment
        FROM unnest(p_bucket, p_key, covers) AS w (bucket, key, covers), LATERAL (
            SELECT v.id, v.noncurrent_since FROM storage_objectversion v
            WHERE v.tenant_id = p_tenant AND v.bucket_id = w.bucket AND v.key = w.key
            ORDER BY v.version_seq DESC LIMIT 1
        ) newest
        WHERE w.covers AND newest.noncurrent_since IS NULL AND m.id = newest.id;
    END IF;
    IF any_markers THEN
        INSERT INTO storage_objectversion (
            tenant_id, bucket_id, key, version_id, version_seq, size, etag, content_type, metadata, headers,
            checksums, last_modified, writer, is_delete_marker
        )
        SELECT
            p_tenant, w.bucket, w.key, w.version, w.seq, 0, '', '', '{}', '{}', '{}', date_trunc('second', moment),
            w.writer, true
        FROM unnest(p_delete, seqs, p_bucket, p_key, versions, p_writer)
            AS w (is_delete, seq, bucket, key, version, writer)
        WHERE w.is_delete AND w.seq IS NOT NULL;
    END IF;
    IF puts THEN
        INSERT INTO storage_object (
            tenant_id, bucket_id, key, version_id, version_seq, size, etag, content_type, metadata, headers,
            checksums, tags, lock, sse, parts, last_modified, blob, inline, writer
        )
        SELECT
            p_tenant, w.bucket, w.key, coalesce(w.version, 'null'), coalesce(w.seq, 0), w.size, w.etag, w.type,
            w.metadata, w.headers, w.checksums, coalesce(w.tags, '{}'), coalesce(w.default_lock, w.lock, '{}'),
            w.sse, w.parts, w.modified, w.blob, w.inline, w.writer
        FROM unnest(
            p_delete, places, p_bucket, p_key, versions, seqs, p_size, p_etag, p_type, p_metadata, p_headers,
            p_checksums, p_tags, p_lock, locks, p_sse, p_parts, p_modified, p_blob, p_inline, p_writer
        ) AS w (
            is_delete, place, bucket, key, version, seq, size, etag, type, metadata, headers, checksums, tags, lock,
            default_lock, sse, parts, modified, blob, inline, writer
        )
        WHERE NOT w.is_delete AND w.place IS NOT NULL
        ON CONFLICT (bucket_id, key) DO UPDATE SET
            version_id = EXCLUDED.version_id, version_seq = EXCLUDED.version_seq,
            size = EXCLUDED.size, etag = EXCLUDED.etag, content_type = EXCLUDED.content_type,
            metadata = EXCLUDED.metadata, headers = EXCLUDED.headers, checksums = EXCLUDED.checksums,
            tags = EXCLUDED.tags, lock = EXCLUDED.lock, sse = EXCLUDED.sse, parts = EXCLUDED.parts,
            last_modified = EXCLUDED.last_modified, blob = EXCLUDED.blob, inline = EXCLUDED.inline,
            writer = EXCLUDED.writer;
    END IF;
    FOR i IN 1 .. cardinality(promoted) LOOP
        PERFORM storage_promote(p_tenant, p_bucket[promoted[i]], p_key[promoted[i]]);
    END LOOP;
    IF cardinality(garbage) > 0 THEN
        INSERT INTO storage_blobgarbage (tenant_id, blob, due_at)
        SELECT p_tenant, g.blob, now() + interval '2 minutes' FROM unnest(garbage) AS g (blob);
    END IF;
    INSERT INTO storage_bucketusage AS u (bucket_id, tenant_id, bytes, objects_count, upload_bytes)
    SELECT m.bucket, p_tenant, m.bytes - m.bytes_before, m.objects - m.objects_before, 0
    FROM unnest(buckets, bytes_used, bytes_before, objects_used, objects_before)
        AS m (bucket, bytes, bytes_before, objects, objects_before)
    ON CONFLICT (bucket_id) DO UPDATE SET
        bytes = u.bytes + EXCLUDED.bytes, objects_count = u.objects_count + EXCLUDED.objects_count;
    UPDATE storage_usage SET
        bytes = bytes + (used - held.bytes - held.upload_bytes),
        objects_count = objects_count
            + (SELECT sum(m.objects - m.before) FROM unnest(objects_used, objects_before) AS m (objects, before))
    WHERE tenant_id = p_tenant;

    SELECT array_agg(e.type), array_agg(e.subject), array_agg(e.data), array_agg(e.writer)
    INTO types, subjects, details, writers
    FROM (
        SELECT
            CASE WHEN w.is_delete THEN 'storage.object.deleted' ELSE 'storage.object.created' END AS type,
            names[w.place] || '/' || w.key AS subject,
            CASE
                WHEN NOT w.is_delete AND w.version IS NULL THEN jsonb_build_object(
                    'bucket', names[w.place], 'key', w.key, 'size', w.size, 'etag', w.etag, 'content_type',
                    left(w.type, 255)
                )
                WHEN NOT w.is_delete THEN jsonb_build_object(
                    'bucket', names[w.place], 'key', w.key, 'size', w.size, 'etag', w.etag, 'content_type',
                    left(w.type, 255), 'version_id', w.version
                )
                WHEN w.version IS NULL THEN
                    jsonb_build_object('bucket', names[w.place], 'key', w.key, 'size', w.freed)
                ELSE jsonb_build_object(
                    'bucket', names[w.place], 'key', w.key, 'size', w.freed, 'version_id', w.version,
                    'delete_marker', w.marker, 'permanent', w.named IS NOT NULL
                )
            END AS data,
            w.writer
        FROM unnest(
            p_delete, places, p_key, freed, p_size, p_etag, p_type, p_writer, versions, markers, p_version
        ) WITH ORDINALITY AS w (is_delete, place, key, freed, size, etag, type, writer, version, marker, named, n)
        WHERE w.place IS NOT NULL ORDER BY w.n
    ) e;
    PERFORM publish_events(p_tenant, 'storage', types, subjects, details, writers);
END $$;
