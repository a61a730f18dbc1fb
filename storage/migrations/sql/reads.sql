-- One object with its inline body, or no row.
CREATE FUNCTION storage_head(p_tenant bigint, p_bucket bigint, p_key text)
RETURNS TABLE (
    version_id text, size bigint, etag varchar, content_type text, last_modified timestamptz, metadata jsonb,
    headers jsonb, checksums jsonb, tags jsonb, lock jsonb, sse jsonb, parts jsonb, writer varchar, blob varchar,
    inline bytea
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN QUERY
        SELECT
            o.version_id, o.size, o.etag, o.content_type, o.last_modified, o.metadata, o.headers, o.checksums,
            o.tags, o.lock, o.sse, o.parts, o.writer, o.blob, o.inline
        FROM storage_object o WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key = p_key;
END $$;


-- One version with its inline body, or no row; p_version NULL: the newest, which may be a delete marker.
CREATE FUNCTION storage_find_version(p_tenant bigint, p_bucket bigint, p_key text, p_version text)
RETURNS TABLE (
    version_id text, size bigint, etag varchar, content_type text, last_modified timestamptz, metadata jsonb,
    headers jsonb, checksums jsonb, tags jsonb, lock jsonb, sse jsonb, parts jsonb, writer varchar, blob varchar,
    inline bytea, is_delete_marker boolean, is_latest boolean
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN QUERY
        SELECT
            o.version_id, o.size, o.etag, o.content_type, o.last_modified, o.metadata, o.headers, o.checksums,
            o.tags, o.lock, o.sse, o.parts, o.writer, o.blob, o.inline, false, true
        FROM storage_object o
        WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key = p_key
            AND (p_version IS NULL OR o.version_id = p_version);
    IF FOUND THEN
        RETURN;
    END IF;
    IF p_version IS NULL THEN
        SELECT v.version_id INTO p_version FROM storage_objectversion v
        WHERE v.tenant_id = p_tenant AND v.bucket_id = p_bucket AND v.key = p_key
        ORDER BY v.version_seq DESC LIMIT 1;
    END IF;
    RETURN QUERY
        SELECT
            v.version_id, v.size, v.etag, v.content_type, v.last_modified, v.metadata, v.headers, v.checksums,
            v.tags, v.lock, v.sse, v.parts, v.writer, v.blob, v.inline, v.is_delete_marker,
            v.noncurrent_since IS NULL
        FROM storage_objectversion v
        WHERE v.tenant_id = p_tenant AND v.bucket_id = p_bucket AND v.key = p_key AND v.version_id = p_version;
END $$;


-- Keys and, with a delimiter, common prefixes from p_after on, in byte order, at most p_max rows.
-- *_end is the least text after all that begin with the prefix (or delimiter); NULL where there is none.
-- A level is left by a seek past it, so listing one costs its own entries, whatever lies below.
CREATE FUNCTION storage_list(
    p_tenant bigint, p_bucket bigint, p_prefix text, p_prefix_end text, p_delimiter text, p_delimiter_end text,
    p_after text, p_max integer
) RETURNS TABLE (
    is_prefix boolean, key text, size bigint, etag varchar, last_modified timestamptz, checksums jsonb
)
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
            SELECT o.key, o.size, o.etag, o.last_modified, o.checksums FROM storage_object o
            WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key >= start
                AND (p_prefix_end IS NULL OR o.key < p_prefix_end)
            ORDER BY o.key
        LOOP
            cut := CASE WHEN p_delimiter = '' THEN 0 ELSE strpos(substr(found.key, skip + 1), p_delimiter) END;
            IF cut = 0 THEN
                RETURN QUERY
                    SELECT false, found.key, found.size, found.etag, found.last_modified, found.checksums;
            ELSE
                CONTINUE WHEN level IS NOT NULL AND starts_with(found.key, level);
                level := left(found.key, skip + cut - 1 + length(p_delimiter));
                RETURN QUERY SELECT true, level, NULL::bigint, NULL::varchar, NULL::timestamptz, NULL::jsonb;
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
