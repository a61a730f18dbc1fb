-- The data plane's writes. Each function is one round trip, runs in the caller's tenant (row security holds inside
-- it) and takes the tenant's usage row first: that row orders a tenant's writes, so no two of them can deadlock and
-- usage is exact at every commit. Events come last (publish_events holds the tenant's log until the commit).
--
-- The planner settings: a plan made while a table was small is kept by the connection; a sequential scan in it
-- would read millions of rows by the time the statistics catch up.

CREATE FUNCTION storage_lock_usage(p_tenant bigint) RETURNS storage_usage LANGUAGE plpgsql AS $$
DECLARE
    held storage_usage;
BEGIN
    SELECT * INTO held FROM storage_usage WHERE tenant_id = p_tenant FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO storage_usage (tenant_id, bytes, objects_count, upload_bytes) VALUES (p_tenant, 0, 0, 0)
        ON CONFLICT DO NOTHING;
        SELECT * INTO held FROM storage_usage WHERE tenant_id = p_tenant FOR UPDATE;
    END IF;
    RETURN held;
END $$;


-- One object with its inline body, or no row.
CREATE FUNCTION storage_head(p_tenant bigint, p_bucket bigint, p_key text)
RETURNS TABLE (
    size bigint, etag varchar, content_type text, last_modified timestamptz,
    metadata jsonb, headers jsonb, checksums jsonb, blob varchar, inline bytea
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN QUERY
        SELECT o.size, o.etag, o.content_type, o.last_modified, o.metadata, o.headers, o.checksums, o.blob, o.inline
        FROM storage_object o WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key = p_key;
END $$;


-- Puts and deletes of one tenant, in one transaction. No (bucket, key) may come twice.
-- p_expect: NULL = no condition, '*' = the key must be free, else the ETag that it must hold.
-- p_enforce = false lets bytes pass the quota that are on a backend already.
-- verdicts: NULL = done; 'bucket_gone', 'precondition', 'quota' = refused; 'absent' = nothing to delete.
CREATE FUNCTION storage_commit(
    p_tenant bigint, p_enforce boolean, p_delete boolean[], p_bucket bigint[], p_key text[], p_size bigint[],
    p_etag text[], p_type text[], p_metadata jsonb[], p_headers jsonb[], p_checksums jsonb[],
    p_modified timestamptz[], p_blob text[], p_inline bytea[], p_writer text[], p_expect text[]
) RETURNS text[] LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    verdicts text[];
    held storage_usage;
    used bigint;
    quota bigint;
    names text[];
    old_sizes bigint[];
    old_blobs text[];
    existed boolean[];
    types text[];
    subjects text[];
    details jsonb[];
    writers text[];
    delta bigint;
    more_bytes bigint := 0;
    more_objects bigint := 0;
    deletes boolean := false;
    puts boolean := false;
    leftovers boolean := false;
BEGIN
    held := storage_lock_usage(p_tenant);
    used := held.bytes + held.upload_bytes;
    IF p_enforce THEN
        SELECT storage_bytes INTO quota FROM tenants_quota WHERE tenant_id = p_tenant;
    END IF;

    SELECT array_agg(f.verdict), array_agg(f.name), array_agg(f.old_size), array_agg(f.blob), array_agg(f.existed)
    INTO verdicts, names, old_sizes, old_blobs, existed
    FROM (
        SELECT
            b.name, coalesce(o.size, 0) AS old_size, o.blob, o.id IS NOT NULL AS existed,
            CASE
                WHEN b.id IS NULL THEN 'bucket_gone'
                WHEN w.is_delete AND o.id IS NULL THEN 'absent'
                WHEN w.expect = '*' AND o.id IS NOT NULL THEN 'precondition'
                WHEN w.expect <> '*' AND o.etag IS DISTINCT FROM w.expect THEN 'precondition'
            END AS verdict
        FROM unnest(p_bucket, p_key, p_delete, p_expect) WITH ORDINALITY AS w (bucket, key, is_delete, expect, n)
        LEFT JOIN storage_bucket b ON b.tenant_id = p_tenant AND b.id = w.bucket
        LEFT JOIN storage_object o ON o.tenant_id = p_tenant AND o.bucket_id = w.bucket AND o.key = w.key
        ORDER BY w.n
    ) f;

    FOR i IN 1 .. cardinality(p_key) LOOP
        CONTINUE WHEN verdicts[i] IS NOT NULL;
        delta := CASE WHEN p_delete[i] THEN 0 ELSE p_size[i] END - old_sizes[i];
        IF delta > 0 AND used + delta > quota THEN  -- quota NULL: never
            verdicts[i] := 'quota';
            CONTINUE;
        END IF;
        used := used + delta;
        more_bytes := more_bytes + delta;
        leftovers := leftovers OR old_blobs[i] IS NOT NULL;
        IF p_delete[i] THEN
            deletes := true;
            more_objects := more_objects - 1;
        ELSE
            puts := true;
            IF NOT existed[i] THEN
                more_objects := more_objects + 1;
            END IF;
        END IF;
    END LOOP;
    IF NOT (puts OR deletes) THEN
        RETURN verdicts;
    END IF;

    IF deletes THEN
        DELETE FROM storage_object o
        USING unnest(p_bucket, p_key, p_delete, verdicts) AS w (bucket, key, is_delete, verdict)
        WHERE w.is_delete AND w.verdict IS NULL
            AND o.tenant_id = p_tenant AND o.bucket_id = w.bucket AND o.key = w.key;
    END IF;
    IF puts THEN
        INSERT INTO storage_object (
            tenant_id, bucket_id, key, size, etag, content_type, metadata, headers, checksums, last_modified,
            blob, inline, writer
        )
        SELECT
            p_tenant, w.bucket, w.key, w.size, w.etag, w.type, w.metadata, w.headers, w.checksums, w.modified,
            w.blob, w.inline, w.writer
        FROM unnest(
            p_delete, verdicts, p_bucket, p_key, p_size, p_etag, p_type, p_metadata, p_headers, p_checksums,
            p_modified, p_blob, p_inline, p_writer
        ) AS w (
            is_delete, verdict, bucket, key, size, etag, type, metadata, headers, checksums,
            modified, blob, inline, writer
        )
        WHERE NOT w.is_delete AND w.verdict IS NULL
        ON CONFLICT (bucket_id, key) DO UPDATE SET
            size = EXCLUDED.size, etag = EXCLUDED.etag, content_type = EXCLUDED.content_type,
            metadata = EXCLUDED.metadata, headers = EXCLUDED.headers, checksums = EXCLUDED.checksums,
            last_modified = EXCLUDED.last_modified, blob = EXCLUDED.blob, inline = EXCLUDED.inline,
            writer = EXCLUDED.writer;
    END IF;
    IF leftovers THEN
        INSERT INTO storage_blobgarbage (tenant_id, blob, due_at)
        SELECT p_tenant, w.blob, now() + interval '2 minutes'
        FROM unnest(old_blobs, verdicts) AS w (blob, verdict)
        WHERE w.blob IS NOT NULL AND w.verdict IS NULL;
    END IF;
    UPDATE storage_usage SET bytes = bytes + more_bytes, objects_count = objects_count + more_objects
    WHERE tenant_id = p_tenant;

    SELECT array_agg(e.type), array_agg(e.subject), array_agg(e.data), array_agg(e.writer)
    INTO types, subjects, details, writers
    FROM (
        SELECT
            CASE WHEN w.is_delete THEN 'storage.object.deleted' ELSE 'storage.object.created' END AS type,
            w.name || '/' || w.key AS subject,
            CASE
                WHEN w.is_delete THEN jsonb_build_object('bucket', w.name, 'key', w.key, 'size', w.old_size)
                ELSE jsonb_build_object(
                    'bucket', w.name, 'key', w.key, 'size', w.size, 'etag', w.etag, 'content_type', left(w.type, 255)
                )
            END AS data,
            w.writer
        FROM unnest(p_delete, verdicts, names, p_key, old_sizes, p_size, p_etag, p_type, p_writer)
            WITH ORDINALITY AS w (is_delete, verdict, name, key, old_size, size, etag, type, writer, n)
        WHERE w.verdict IS NULL ORDER BY w.n
    ) e;
    PERFORM publish_events(p_tenant, 'storage', types, subjects, details, writers);
    RETURN verdicts;
END $$;


-- Keys and, with a delimiter, common prefixes from p_after on, in byte order, at most p_max rows.
-- *_end is the least text after all that begin with the prefix (or delimiter); NULL where there is none.
-- A level is left by a seek past it, so listing one costs its own entries, whatever lies below.
CREATE FUNCTION storage_list(
    p_tenant bigint, p_bucket bigint, p_prefix text, p_prefix_end text, p_delimiter text, p_delimiter_end text,
    p_after text, p_max integer
) RETURNS TABLE (is_prefix boolean, key text, size bigint, etag varchar, last_modified timestamptz)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    found record;
    start text := p_prefix;
    skip integer := length(p_prefix);
    cut integer;
    level text := NULL;
    left_to_give integer := p_max;
    jumped boolean;
BEGIN
    -- No text holds U+0000, so the least one after x is x with U+0001 behind it.
    IF p_after <> '' AND p_after COLLATE "C" >= p_prefix COLLATE "C" THEN
        start := p_after || chr(1);
        IF p_delimiter <> '' AND starts_with(p_after, p_prefix) THEN
            cut := strpos(substr(p_after, skip + 1), p_delimiter);
            IF cut > 0 AND skip + cut - 1 + length(p_delimiter) = length(p_after) THEN
                level := p_after;
                start := coalesce(left(p_after, skip + cut - 1) || p_delimiter_end, start);
            END IF;
        END IF;
    END IF;
    WHILE left_to_give > 0 LOOP
        jumped := false;
        FOR found IN
            SELECT o.key, o.size, o.etag, o.last_modified FROM storage_object o
            WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key >= start
                AND (p_prefix_end IS NULL OR o.key < p_prefix_end)
            ORDER BY o.key
        LOOP
            cut := CASE WHEN p_delimiter = '' THEN 0 ELSE strpos(substr(found.key, skip + 1), p_delimiter) END;
            IF cut = 0 THEN
                RETURN QUERY SELECT false, found.key, found.size, found.etag, found.last_modified;
            ELSE
                CONTINUE WHEN level IS NOT NULL AND starts_with(found.key, level);
                level := left(found.key, skip + cut - 1 + length(p_delimiter));
                RETURN QUERY SELECT true, level, NULL::bigint, NULL::varchar, NULL::timestamptz;
            END IF;
            left_to_give := left_to_give - 1;
            EXIT WHEN left_to_give = 0;
            IF cut > 0 AND p_delimiter_end IS NOT NULL THEN
                start := left(found.key, skip + cut - 1) || p_delimiter_end;
                jumped := true;
                EXIT;
            END IF;
        END LOOP;
        EXIT WHEN NOT jumped;
    END LOOP;
END $$;


-- Keeps a part in place of one with its number. Answers NULL, 'upload_gone' or 'quota'.
CREATE FUNCTION storage_record_part(
    p_tenant bigint, p_bucket bigint, p_upload uuid, p_number integer, p_size bigint, p_etag text,
    p_checksums jsonb, p_modified timestamptz, p_blob text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    held storage_usage;
    quota bigint;
    old record;
    delta bigint := p_size;
BEGIN
    held := storage_lock_usage(p_tenant);
    PERFORM 1 FROM storage_upload WHERE tenant_id = p_tenant AND id = p_upload AND bucket_id = p_bucket;
    IF NOT FOUND THEN
        RETURN 'upload_gone';
    END IF;
    SELECT size, blob INTO old FROM storage_uploadpart WHERE upload_id = p_upload AND number = p_number;
    IF FOUND THEN
        delta := p_size - old.size;
    END IF;
    SELECT storage_bytes INTO quota FROM tenants_quota WHERE tenant_id = p_tenant;
    IF delta > 0 AND held.bytes + held.upload_bytes + delta > quota THEN
        RETURN 'quota';
    END IF;
    INSERT INTO storage_uploadpart (
        tenant_id, upload_id, number, size, etag, checksums, last_modified, blob
    ) VALUES (p_tenant, p_upload, p_number, p_size, p_etag, p_checksums, p_modified, p_blob)
    ON CONFLICT (upload_id, number) DO UPDATE SET
        size = EXCLUDED.size, etag = EXCLUDED.etag, checksums = EXCLUDED.checksums,
        last_modified = EXCLUDED.last_modified, blob = EXCLUDED.blob;
    IF old.blob IS NOT NULL THEN
        INSERT INTO storage_blobgarbage (tenant_id, blob, due_at)
        VALUES (p_tenant, old.blob, now() + interval '2 minutes');
    END IF;
    UPDATE storage_usage SET upload_bytes = upload_bytes + delta WHERE tenant_id = p_tenant;
    RETURN NULL;
END $$;


-- Ends an upload, completed or aborted; its parts' blobs become garbage. False when there was none.
CREATE FUNCTION storage_end_upload(p_tenant bigint, p_bucket bigint, p_upload uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    freed bigint;
BEGIN
    PERFORM storage_lock_usage(p_tenant);
    PERFORM 1 FROM storage_upload WHERE tenant_id = p_tenant AND id = p_upload AND bucket_id = p_bucket;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    WITH gone AS (DELETE FROM storage_uploadpart WHERE upload_id = p_upload RETURNING size, blob),
    kept AS (
        INSERT INTO storage_blobgarbage (tenant_id, blob, due_at)
        SELECT p_tenant, gone.blob, now() + interval '2 minutes' FROM gone WHERE gone.blob IS NOT NULL
    )
    SELECT coalesce(sum(gone.size), 0) INTO freed FROM gone;
    DELETE FROM storage_upload WHERE id = p_upload;
    UPDATE storage_usage SET upload_bytes = upload_bytes - freed WHERE tenant_id = p_tenant;
    RETURN true;
END $$;


-- Journals writes to remote backends. verdicts: NULL = journalled; 'bucket_gone', 'quota' = refused.
-- The announced sizes of open intents count against the quota, for what they bring cannot be refused later.
CREATE FUNCTION storage_begin_intents(
    p_tenant bigint, p_id uuid[], p_kind text[], p_bucket bigint[], p_key text[], p_size bigint[], p_type text[],
    p_metadata jsonb[], p_headers jsonb[], p_checksums jsonb[], p_writer text[], p_first_check interval
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    held storage_usage;
    quota bigint;
    used bigint;
    verdicts text[];
BEGIN
    SELECT array_agg(f.verdict) INTO verdicts FROM (
        SELECT CASE WHEN b.id IS NULL THEN 'bucket_gone' END AS verdict
        FROM unnest(p_bucket) WITH ORDINALITY AS w (bucket, n)
        LEFT JOIN storage_bucket b ON b.tenant_id = p_tenant AND b.id = w.bucket
        ORDER BY w.n
    ) f;
    SELECT storage_bytes INTO quota FROM tenants_quota WHERE tenant_id = p_tenant;
    IF quota IS NOT NULL THEN
        held := storage_lock_usage(p_tenant);
        SELECT held.bytes + held.upload_bytes + coalesce(sum(size), 0) INTO used
        FROM storage_writeintent WHERE tenant_id = p_tenant AND kind = 'put';
        FOR i IN 1 .. cardinality(p_id) LOOP
            CONTINUE WHEN verdicts[i] IS NOT NULL OR p_kind[i] <> 'put';
            IF used + p_size[i] > quota THEN
                verdicts[i] := 'quota';
            ELSE
                used := used + p_size[i];
            END IF;
        END LOOP;
    END IF;
    INSERT INTO storage_writeintent (
        id, tenant_id, kind, bucket_id, key, size, content_type, metadata, headers, checksums, writer,
        began_at, next_check_at, contested
    )
    SELECT
        w.id, p_tenant, w.kind, w.bucket, w.key, w.size, w.type, w.metadata, w.headers, w.checksums, w.writer,
        clock_timestamp(), clock_timestamp() + p_first_check, false
    FROM unnest(
        p_id, p_kind, p_bucket, p_key, p_size, p_type, p_metadata, p_headers, p_checksums, p_writer, verdicts
    ) AS w (id, kind, bucket, key, size, type, metadata, headers, checksums, writer, verdict)
    WHERE w.verdict IS NULL;
    RETURN verdicts;
END $$;


-- Commits journalled writes that the backend has confirmed. verdicts as of storage_commit, and 'settled' for an
-- intent that is gone: the sweeper was faster. p_size NULL: as announced.
-- Writes of one key that overlap may reach the backend in another order than this: the later one to commit stays,
-- as 'verify', for the sweeper to look which of them is there.
CREATE FUNCTION storage_commit_intents(
    p_tenant bigint, p_id uuid[], p_etag text[], p_size bigint[], p_next_check interval
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    verdicts text[];
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
        verdicts[i] := (storage_commit(
            p_tenant, false, ARRAY[mine.kind = 'delete'], ARRAY[mine.bucket_id], ARRAY[mine.key],
            ARRAY[coalesce(p_size[i], mine.size)], ARRAY[p_etag[i]], ARRAY[mine.content_type],
            ARRAY[mine.metadata], ARRAY[mine.headers], ARRAY[mine.checksums], ARRAY[clock_timestamp()],
            ARRAY[NULL::text], ARRAY[NULL::bytea], ARRAY[mine.writer::text], ARRAY[NULL::text]
        ))[1];
        UPDATE storage_writeintent SET contested = true
        WHERE tenant_id = p_tenant AND bucket_id = mine.bucket_id AND key = mine.key AND id <> mine.id;
        IF mine.contested THEN
            UPDATE storage_writeintent SET kind = 'verify', next_check_at = clock_timestamp() + p_next_check
            WHERE id = mine.id;
        ELSE
            DELETE FROM storage_writeintent WHERE id = mine.id;
        END IF;
    END LOOP;
    RETURN verdicts;
END $$;
