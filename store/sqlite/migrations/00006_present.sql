-- +goose Up

-- Which workspaces have somebody at work.
CREATE INDEX agents_present ON agents (ws) WHERE presence <> 'offline';

UPDATE schema_info SET version = 6;
