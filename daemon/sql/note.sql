-- A row of history that belongs to no job: $1 kind, $2 detail.
INSERT INTO backfill.event (kind, detail) VALUES ($1, $2)
