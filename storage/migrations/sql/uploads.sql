-- Multipart uploads: their parts count as the tenant's and the bucket's bytes until they are an object or nothing.

CREATE FUNCTION storage_count_parts(p_tenant bigint, p_bucket bigint, p_bytes bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE storage_usage SET upload_bytes = upload_bytes + p_bytes WHERE tenant_id = p_tenant;
    INSERT INTO storage_bucketusage AS u (bucket_id, tenant_id, bytes, objects_count, upload_bytes)
    VALUES (p_bucket, p_tenant, 0, 0, p_bytes)
    ON CONFLICT (bucket_id) DO UPDATE SET upload_bytes = u.upload_bytes + EXCLUDED.upload_bytes;
END $$;


-- Keeps a part in place of one with its number. Answers NULL, 'upload_gone' or 'quota'.
CREATE FUNCTION storage_record_part(
    p_tenant bigint, p_bucket bigint, p_upload uuid, p_number integer, p_size bigint, p_etag text,
    p_checksums jsonb, p_modified timestamptz, p_blob text, p_sse jsonb DEFAULT NULL
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    held storage_usage;
    quota bigint;
    bucket_quota bigint;
    bucket_used bigint;
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
    SELECT b.quota_bytes, coalesce(u.bytes + u.upload_bytes, 0) INTO bucket_quota, bucket_used
    FROM storage_bucket b LEFT JOIN storage_bucketusage u ON u.bucket_id = b.id WHERE b.id = p_bucket;
    IF delta > 0 AND (held.bytes + held.upload_bytes + delta > quota OR bucket_used + delta > bucket_quota) THEN
        RETURN 'quota';
    END IF;
    INSERT INTO storage_uploadpart (
        tenant_id, upload_id, number, size, etag, checksums, sse, last_modified, blob
    ) VALUES (p_tenant, p_upload, p_number, p_size, p_etag, p_checksums, p_sse, p_modified, p_blob)
    ON CONFLICT (upload_id, number) DO UPDATE SET
        size = EXCLUDED.size, etag = EXCLUDED.etag, checksums = EXCLUDED.checksums, sse = EXCLUDED.sse,
        last_modified = EXCLUDED.last_modified, blob = EXCLUDED.blob;
    IF old.blob IS NOT NULL THEN
        INSERT INTO storage_blobgarbage (tenant_id, blob, due_at)
        VALUES (p_tenant, old.blob, now() + interval '2 minutes');
    END IF;
    PERFORM storage_count_parts(p_tenant, p_bucket, delta);
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
    PERFORM storage_count_parts(p_tenant, p_bucket, -freed);
    RETURN true;
END $$;
