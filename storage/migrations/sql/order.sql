-- The order of a key's versions as its backend has them.

-- Gives the versions of a key the order of p_versions, the newest first; what comes first is then what the key is.
-- False where they stood so already; NULL, and nothing is changed, where the index knows a version that is not named: it
-- was written since the backend was asked. Versions have had their events; usage is the same in any order.
CREATE FUNCTION storage_order_versions(p_tenant bigint, p_bucket bigint, p_key text, p_versions text[])
RETURNS boolean LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    moment timestamptz;
    known text[];
    wanted text[];
    seq bigint;
BEGIN
    PERFORM storage_lock_usage(p_tenant);
    SELECT array_agg(r.version_id ORDER BY r.version_seq DESC) INTO known FROM (
        SELECT o.version_id, o.version_seq FROM storage_object o
        WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key = p_key
        UNION ALL
        SELECT v.version_id, v.version_seq FROM storage_objectversion v
        WHERE v.tenant_id = p_tenant AND v.bucket_id = p_bucket AND v.key = p_key
    ) r;
    SELECT array_agg(w.version ORDER BY w.n) INTO wanted
    FROM unnest(p_versions) WITH ORDINALITY AS w (version, n) WHERE w.version = ANY (known);
    IF known IS NOT DISTINCT FROM wanted THEN
        RETURN false;
    ELSIF cardinality(known) IS DISTINCT FROM cardinality(wanted) THEN
        RETURN NULL;
    END IF;

    moment := clock_timestamp();
    IF known[1] <> wanted[1] THEN
        INSERT INTO storage_objectversion (
            tenant_id, bucket_id, key, version_id, version_seq, size, etag, content_type, metadata, headers,
            checksums, tags, lock, sse, parts, last_modified, writer, blob, inline, is_delete_marker,
            noncurrent_since
        )
        SELECT
            o.tenant_id, o.bucket_id, o.key, o.version_id, o.version_seq, o.size, o.etag, o.content_type,
            o.metadata, o.headers, o.checksums, o.tags, o.lock, o.sse, o.parts, o.last_modified, o.writer, o.blob,
            o.inline, false, moment
        FROM storage_object o WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key = p_key;
        DELETE FROM storage_object o WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key = p_key;
        UPDATE storage_objectversion v SET noncurrent_since = moment
        WHERE v.tenant_id = p_tenant AND v.bucket_id = p_bucket AND v.key = p_key AND v.noncurrent_since IS NULL;
    END IF;
    FOR i IN REVERSE cardinality(wanted) .. 1 LOOP
        seq := nextval('storage_version_seq');
        UPDATE storage_objectversion v SET version_seq = seq
        WHERE v.tenant_id = p_tenant AND v.bucket_id = p_bucket AND v.key = p_key AND v.version_id = wanted[i];
        UPDATE storage_object o SET version_seq = seq
        WHERE o.tenant_id = p_tenant AND o.bucket_id = p_bucket AND o.key = p_key AND o.version_id = wanted[i];
    END LOOP;
    IF known[1] <> wanted[1] THEN
        PERFORM storage_promote(p_tenant, p_bucket, p_key);
    END IF;
    RETURN true;
END $$;
