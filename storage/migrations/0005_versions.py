"""The functions of the data plane know versions, locks, tags and what each bucket holds and may hold."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql")
OLD = SQL.joinpath("index.sql").read_text(encoding="utf-8")
NEW = [
    SQL.joinpath(f"{subject}.sql").read_text(encoding="utf-8")
    for subject in ("commit", "amend", "reads", "versions", "uploads", "intents")
]

REPLACED = (
    "storage_commit_intents",
    "storage_begin_intents",
    "storage_end_upload",
    "storage_record_part",
    "storage_list",
    "storage_commit",
    "storage_head",
)
ADDED = (
    "storage_list_versions",
    "storage_count_parts",
    "storage_find_version",
    "storage_amend",
    "storage_promote",
    "storage_default_lock",
    "storage_misfits",
    "storage_is_locked",
)

DROP_OLD = ";".join(f"DROP FUNCTION {name}" for name in REPLACED)
DROP_NEW = (
    ";".join(f"DROP FUNCTION {name}" for name in REPLACED + ADDED) + ";DROP SEQUENCE storage_version_seq"
)
# The first migration's functions without the one that stays.
OLD_AGAIN = OLD.replace("CREATE FUNCTION storage_lock_usage", "CREATE OR REPLACE FUNCTION storage_lock_usage")


class Migration(migrations.Migration):
    dependencies = [("storage", "0004_access_key_actions")]

    operations = [
        migrations.RunSQL(DROP_OLD, OLD_AGAIN),
        migrations.RunSQL("\n\n\n".join(NEW), DROP_NEW),
    ]
