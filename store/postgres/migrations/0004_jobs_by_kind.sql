-- Each kind of job is claimed by itself: a long queue of one costs the others
-- nothing.
CREATE INDEX jobs_by_kind ON jobs (kind, claimable) WHERE claimable IS NOT NULL;
