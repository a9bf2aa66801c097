-- +goose Up

-- Each kind of job is claimed by itself: a long queue of one costs the others
-- nothing.
CREATE INDEX jobs_by_kind ON jobs (kind, wake, seq) WHERE state IN ('queued', 'running');

UPDATE schema_info SET version = 4;
