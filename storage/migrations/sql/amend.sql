-- What of a version may change after it was written: its tags and its lock.

-- Answers a verdict (NULL = done) and the version that was meant (p_version NULL: the current object).
-- p_what: 'tags' (p_value are the new ones), 'retention' ({"mode", "until"}, or {} for none), 'hold' (a boolean).
-- verdicts: 'bucket_gone', 'version_gone' (also where there is no current object), 'marker', 'locked'.
CREATE FUNCTION storage_amend(
    p_tenant bigint, p_bucket bigint, p_key text, p_version text, p_what text, p_value jsonb, p_bypass boolean,
    p_writer text, OUT verdict text, OUT version text
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    bucket storage_bucket;
    current_id bigint;
    other_id bigint;
    is_marker boolean := false;
    old jsonb;
    new_lock jsonb;
BEGIN
    PERFORM storage_lock_usage(p_tenant);
    SELECT * INTO bucket FROM storage_bucket b WHERE b.tenant_id = p_tenant AND b.id = p_bucket;
    IF NOT FOUND THEN
        verdict := 'bucket_gone';
        RETURN;
    END IF;
    SELECT o.id, o.version_id, o.lock INTO current_id, version, old FROM storage_object o
    WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key = p_key
        AND (p_version IS NULL OR o.version_id = p_version);
    IF NOT FOUND THEN
        SELECT v.id, v.version_id, v.lock, v.is_delete_marker INTO other_id, version, old, is_marker
        FROM storage_objectversion v
        WHERE v.tenant_id = p_tenant AND v.bucket_id = p_bucket AND v.key = p_key AND v.version_id = p_version;
    END IF;
    IF current_id IS NULL AND other_id IS NULL THEN
        verdict := 'version_gone';
    ELSIF is_marker THEN
        verdict := 'marker';
    ELSIF p_what = 'retention' AND storage_is_locked(old - 'hold', p_bypass, clock_timestamp())
        -- Longer is always allowed, in the same mode.
        AND NOT (old->'mode' = p_value->'mode' AND (p_value->>'until')::timestamptz >= (old->>'until')::timestamptz)
            IS TRUE
    THEN
        verdict := 'locked';
    END IF;
    IF verdict IS NOT NULL THEN
        RETURN;
    END IF;

    new_lock := CASE p_what
        WHEN 'retention' THEN old - 'mode' - 'until' || p_value
        WHEN 'hold' THEN old || jsonb_build_object('hold', p_value)
    END;
    IF current_id IS NOT NULL THEN
        UPDATE storage_object SET
            tags = CASE WHEN p_what = 'tags' THEN p_value ELSE tags END, lock = coalesce(new_lock, lock)
        WHERE id = current_id;
    ELSE
        UPDATE storage_objectversion SET
            tags = CASE WHEN p_what = 'tags' THEN p_value ELSE tags END, lock = coalesce(new_lock, lock)
        WHERE id = other_id;
    END IF;
    PERFORM publish_events(
        p_tenant, 'storage',
        ARRAY[CASE p_what
            WHEN 'tags' THEN 'storage.object.tagged'
            WHEN 'retention' THEN 'storage.object.retained'
            ELSE CASE WHEN p_value = 'true' THEN 'storage.object.held' ELSE 'storage.object.released' END
        END],
        ARRAY[bucket.name || '/' || p_key],
        ARRAY[
            jsonb_build_object('bucket', bucket.name, 'key', p_key)
            || CASE WHEN bucket.versioning = '' THEN '{}' ELSE jsonb_build_object('version_id', version) END
            || CASE p_what WHEN 'tags' THEN jsonb_build_object('tags', p_value) WHEN 'retention' THEN p_value ELSE '{}' END
        ],
        ARRAY[p_writer]
    );
END $$;
