-- Keys and, with a delimiter, common prefixes from p_after on, in byte order, at most p_max rows.
-- *_end is the least text after all that begin with the prefix (or delimiter); NULL where there is none.
-- A level is left by a seek past it, so listing one costs its own entries, whatever lies below. Without a delimiter it
-- is one query: a row at a time costs five times as much.
CREATE OR REPLACE FUNCTION storage_list(
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
    IF p_delimiter = '' THEN
        RETURN QUERY
            SELECT false, o.key, o.size, o.etag, o.last_modified, o.checksums FROM storage_object o
            WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key >= start
                AND (p_prefix_end IS NULL OR o.key < p_prefix_end)
            ORDER BY o.key LIMIT p_max;
        RETURN;
    END IF;
    WHILE left_to_give > 0 LOOP
        jumped := false;
        FOR found IN
            SELECT o.key, o.size, o.etag, o.last_modified, o.checksums FROM storage_object o
            WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key >= start
                AND (p_prefix_end IS NULL OR o.key < p_prefix_end)
            ORDER BY o.key
        LOOP
            cut := strpos(substr(found.key, skip + 1), p_delimiter);
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
