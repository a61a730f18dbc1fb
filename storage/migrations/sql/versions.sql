-- Versions and delete markers, and with a delimiter common prefixes: keys in byte order, of a key the newest first,
-- at most p_max rows, as storage_list lists objects. The list begins after the version of p_after that has p_seq, or
-- (p_seq NULL) after all of that key; a p_after that is itself a common prefix skips all of it.
CREATE FUNCTION storage_list_versions(
    p_tenant bigint, p_bucket bigint, p_prefix text, p_prefix_end text, p_delimiter text, p_delimiter_end text,
    p_after text, p_seq bigint, p_max integer
) RETURNS TABLE (
    is_prefix boolean, key text, version_id text, size bigint, etag varchar, last_modified timestamptz,
    checksums jsonb, is_delete_marker boolean, is_latest boolean
)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    -- No one plan reads two indexes side by side in this order, so they are merged here.
    objects CURSOR (p_from text) FOR
        SELECT
            o.key, o.version_id, o.size, o.etag, o.last_modified, o.checksums, false AS is_delete_marker,
            true AS is_latest
        FROM storage_object o
        WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key >= p_from
            AND (p_prefix_end IS NULL OR o.key < p_prefix_end)
        ORDER BY o.key;
    others CURSOR (p_from text) FOR
        SELECT
            v.key, v.version_id, v.size, v.etag, v.last_modified, v.checksums, v.is_delete_marker,
            v.noncurrent_since IS NULL AS is_latest
        FROM storage_objectversion v
        WHERE v.tenant_id = p_tenant AND v.bucket_id = p_bucket AND v.key >= p_from
            AND (p_prefix_end IS NULL OR v.key < p_prefix_end)
        ORDER BY v.key, v.version_seq DESC;
    rest CURSOR FOR
        SELECT
            v.key, v.version_id, v.size, v.etag, v.last_modified, v.checksums, v.is_delete_marker,
            v.noncurrent_since IS NULL AS is_latest
        FROM storage_objectversion v
        WHERE v.tenant_id = p_tenant AND v.bucket_id = p_bucket AND v.key = p_after AND v.version_seq < p_seq
        ORDER BY v.version_seq DESC;
    object record;
    other record;
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
        cut := CASE
            WHEN p_delimiter <> '' AND starts_with(p_after, p_prefix) THEN strpos(substr(p_after, skip + 1), p_delimiter)
            ELSE 0
        END;
        IF cut > 0 AND skip + cut - 1 + length(p_delimiter) = length(p_after) THEN
            level := p_after;
            start := coalesce(left(p_after, skip + cut - 1) || p_delimiter_end, start);
        ELSIF cut = 0 AND p_seq IS NOT NULL AND starts_with(p_after, p_prefix) THEN
            -- The version that p_seq was of may be gone since, and an older one the current object.
            RETURN QUERY
                SELECT
                    false, o.key, o.version_id, o.size, o.etag, o.last_modified, o.checksums, false, true
                FROM storage_object o
                WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key = p_after
                    AND o.version_seq < p_seq;
            IF FOUND THEN
                left_to_give := left_to_give - 1;
            END IF;
            FOR found IN rest LOOP
                EXIT WHEN left_to_give = 0;
                RETURN QUERY
                    SELECT
                        false, found.key, found.version_id, found.size, found.etag, found.last_modified,
                        found.checksums, found.is_delete_marker, found.is_latest;
                left_to_give := left_to_give - 1;
            END LOOP;
        END IF;
    END IF;
    WHILE left_to_give > 0 LOOP
        jumped := false;
        OPEN objects (start);
        OPEN others (start);
        FETCH objects INTO object;
        FETCH others INTO other;
        WHILE left_to_give > 0 AND (object.key IS NOT NULL OR other.key IS NOT NULL) LOOP
            -- An object is the newest of its key.
            IF other.key IS NULL OR object.key COLLATE "C" <= other.key COLLATE "C" THEN
                found := object;
                FETCH objects INTO object;
            ELSE
                found := other;
                FETCH others INTO other;
            END IF;
            cut := CASE WHEN p_delimiter = '' THEN 0 ELSE strpos(substr(found.key, skip + 1), p_delimiter) END;
            IF cut = 0 THEN
                RETURN QUERY
                    SELECT
                        false, found.key, found.version_id, found.size, found.etag, found.last_modified,
                        found.checksums, found.is_delete_marker, found.is_latest;
            ELSE
                CONTINUE WHEN level IS NOT NULL AND starts_with(found.key, level);
                level := left(found.key, skip + cut - 1 + length(p_delimiter));
                RETURN QUERY
                    SELECT
                        true, level, NULL::text, NULL::bigint, NULL::varchar, NULL::timestamptz, NULL::jsonb,
                        NULL::boolean, NULL::boolean;
            END IF;
            left_to_give := left_to_give - 1;
            IF cut > 0 AND p_delimiter_end IS NOT NULL THEN
                start := left(found.key, skip + cut - 1) || p_delimiter_end;
                jumped := true;
                EXIT;
            END IF;
        END LOOP;
        CLOSE objects;
        CLOSE others;
        EXIT WHEN NOT jumped;
    END LOOP;
END $$;
