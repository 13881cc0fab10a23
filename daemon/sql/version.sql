SELECT v.version FROM backfill.schema_version v
