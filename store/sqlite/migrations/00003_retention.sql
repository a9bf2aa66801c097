-- +goose Up

-- What is kept for a time is found by its age.
CREATE INDEX decisions_at ON decisions (ws, json_extract(doc, '$.at'));
CREATE INDEX offers_ended ON offers (ws, at) WHERE pending = 0;
CREATE INDEX early_at ON early (ws, at);
CREATE INDEX jobs_dead_at ON jobs (ws, created) WHERE state = 'dead';

UPDATE schema_info SET version = 3;
