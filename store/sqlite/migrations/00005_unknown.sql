-- +goose Up

-- What may have been sent is looked at by people, and is rare among what was.
CREATE INDEX outbox_unknown ON outbox (ws, at, id) WHERE state = 'unknown';

UPDATE schema_info SET version = 5;
