-- +goose Up

-- schema_info says what this schema is and the lowest program that it serves.
CREATE TABLE schema_info (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    version     INTEGER NOT NULL,
    min_program INTEGER NOT NULL
) STRICT;
INSERT INTO schema_info VALUES (1, 1, 1);

-- state holds what every commit carries on: the clock, which never goes back,
-- and the last number of the feed.
CREATE TABLE state (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    at        INTEGER NOT NULL,
    event_seq INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (1, 0, 0);

CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE leases (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- Times are microseconds since 1970. v is the version of a row's
-- document. ws is workspaces.num and begins every key.
CREATE TABLE workspaces (
    num            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    config_version INTEGER NOT NULL DEFAULT 0,
    feed_floor     INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE accounts (
    ws INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, token TEXT NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL, sealed BLOB,
    PRIMARY KEY (ws, id)
) STRICT;
-- A token is unique over all workspaces: it is what names the workspace.
CREATE UNIQUE INDEX accounts_token ON accounts (token);

-- state: 0 pending, 1 done, 2 quarantined, 3 only the dedup key is left.
CREATE TABLE envelopes (
    seq INTEGER PRIMARY KEY,
    ws INTEGER NOT NULL, id TEXT NOT NULL, account TEXT NOT NULL, lane TEXT NOT NULL, dedup TEXT NOT NULL,
    occurred INTEGER NOT NULL, received INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, not_before INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0, reason TEXT, raw BLOB
) STRICT;
CREATE UNIQUE INDEX envelopes_dedup ON envelopes (ws, account, dedup);
CREATE UNIQUE INDEX envelopes_id ON envelopes (ws, id);
-- Read once at the start: which lane is due is known in memory from then on.
CREATE INDEX envelopes_work ON envelopes (ws, seq) WHERE state = 0;
CREATE INDEX envelopes_done ON envelopes (ws, received) WHERE state = 1;
CREATE INDEX envelopes_bad ON envelopes (ws, ended) WHERE state = 2;
CREATE INDEX envelopes_keys ON envelopes (ws, received) WHERE state = 3;

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    ws INTEGER NOT NULL, id TEXT NOT NULL, account TEXT NOT NULL, lane TEXT NOT NULL,
    state TEXT NOT NULL, tries INTEGER NOT NULL, not_before INTEGER NOT NULL,
    attempt TEXT, reason TEXT NOT NULL, detail TEXT NOT NULL, at INTEGER NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX outbox_id ON outbox (ws, id);
CREATE INDEX outbox_work ON outbox (ws, seq) WHERE state IN ('queued', 'sending');
CREATE INDEX outbox_attempt ON outbox (ws, attempt) WHERE attempt IS NOT NULL AND state IN ('queued', 'sending');
CREATE INDEX outbox_ended ON outbox (ws, at) WHERE state NOT IN ('queued', 'sending');

-- begun: the request may have been sent and its outcome is not known.
CREATE TABLE attempts (
    ws INTEGER NOT NULL, id TEXT NOT NULL, account TEXT NOT NULL, lane TEXT NOT NULL,
    open INTEGER NOT NULL, begun INTEGER NOT NULL, not_before INTEGER NOT NULL,
    tries INTEGER NOT NULL, at INTEGER NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, id)
) STRICT;
CREATE UNIQUE INDEX attempts_open ON attempts (ws, account, lane) WHERE open = 1;
CREATE INDEX attempts_ended ON attempts (ws, at) WHERE open = 0;

CREATE TABLE pauses (
    ws INTEGER NOT NULL, account TEXT NOT NULL, until INTEGER NOT NULL,
    PRIMARY KEY (ws, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversations (
    seq INTEGER PRIMARY KEY,
    ws INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    thread TEXT NOT NULL, live INTEGER NOT NULL, state TEXT NOT NULL, agent TEXT NOT NULL, contact TEXT NOT NULL,
    account TEXT NOT NULL, channel TEXT NOT NULL, desk TEXT NOT NULL, work_stream TEXT NOT NULL,
    category TEXT NOT NULL, handled INTEGER NOT NULL, opened INTEGER NOT NULL, updated INTEGER NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX conversations_id ON conversations (ws, id);
CREATE UNIQUE INDEX conversations_thread ON conversations (ws, thread) WHERE live = 1;
CREATE INDEX conversations_past ON conversations (ws, thread, opened, id) WHERE live = 0;
CREATE INDEX conversations_updated ON conversations (ws, updated DESC, id);
CREATE INDEX conversations_state ON conversations (ws, state, updated DESC, id);
CREATE INDEX conversations_agent ON conversations (ws, agent, updated DESC, id) WHERE agent <> '';
CREATE INDEX conversations_contact ON conversations (ws, contact, updated DESC, id) WHERE contact <> '';

CREATE TABLE messages (
    ws INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    conversation TEXT NOT NULL, seq INTEGER NOT NULL,
    account TEXT NOT NULL, chat TEXT NOT NULL, provider TEXT NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX messages_id ON messages (ws, id);
CREATE INDEX messages_seq ON messages (ws, conversation, seq);
CREATE UNIQUE INDEX messages_provider ON messages (ws, account, chat, provider) WHERE provider <> '';

CREATE TABLE conversation_events (
    ws INTEGER NOT NULL, conversation TEXT NOT NULL, seq INTEGER NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, conversation, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE contacts (
    ws INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    name TEXT NOT NULL, email TEXT NOT NULL, phone TEXT NOT NULL, -- case folded
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, id)
) STRICT;
CREATE INDEX contacts_name ON contacts (ws, name, id) WHERE name <> '';
CREATE INDEX contacts_email ON contacts (ws, email, id) WHERE email <> '';
CREATE INDEX contacts_phone ON contacts (ws, phone, id) WHERE phone <> '';

CREATE TABLE identities (
    ws INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, contact TEXT NOT NULL,
    kind TEXT NOT NULL, scope TEXT NOT NULL, user TEXT NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, id)
) STRICT;
CREATE UNIQUE INDEX identities_user ON identities (ws, kind, scope, user);
CREATE INDEX identities_contact ON identities (ws, contact, id);

CREATE TABLE early (
    ws INTEGER NOT NULL, account TEXT NOT NULL, chat TEXT NOT NULL, message TEXT NOT NULL, at INTEGER NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, account, chat, message)
) STRICT, WITHOUT ROWID;

CREATE TABLE desks (
    ws INTEGER NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
    seats INTEGER NOT NULL, members INTEGER NOT NULL DEFAULT 0,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, id)
) STRICT;
CREATE UNIQUE INDEX desks_name ON desks (ws, name);

CREATE TABLE desk_members (
    ws INTEGER NOT NULL, desk TEXT NOT NULL, agent TEXT NOT NULL,
    PRIMARY KEY (ws, desk, agent),
    FOREIGN KEY (ws, desk) REFERENCES desks (ws, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE work_streams (
    ws INTEGER NOT NULL, id TEXT NOT NULL, v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, id)
) STRICT;

CREATE TABLE queues (
    ws INTEGER NOT NULL, id TEXT NOT NULL, v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, id)
) STRICT;

CREATE TABLE agents (
    ws INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    presence TEXT NOT NULL, reason TEXT NOT NULL, elig_rev INTEGER NOT NULL, rev INTEGER NOT NULL,
    open INTEGER NOT NULL DEFAULT 0, idle_since INTEGER NOT NULL DEFAULT 0, beat INTEGER NOT NULL DEFAULT 0,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, id)
) STRICT;
CREATE INDEX agents_beat ON agents (beat) WHERE presence <> 'offline' AND beat <> 0;

-- cap is NULL where the agent has none for the profile.
CREATE TABLE agent_load (
    ws INTEGER NOT NULL, agent TEXT NOT NULL, profile TEXT NOT NULL, used INTEGER NOT NULL, cap INTEGER,
    PRIMARY KEY (ws, agent, profile),
    FOREIGN KEY (ws, agent) REFERENCES agents (ws, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE turns (
    ws INTEGER NOT NULL, agent TEXT NOT NULL, queue TEXT NOT NULL, turn INTEGER NOT NULL,
    PRIMARY KEY (ws, agent, queue)
) STRICT, WITHOUT ROWID;

CREATE TABLE wheels (
    ws INTEGER NOT NULL, queue TEXT NOT NULL, turn INTEGER NOT NULL,
    PRIMARY KEY (ws, queue)
) STRICT, WITHOUT ROWID;

CREATE TABLE items (
    seq INTEGER PRIMARY KEY,
    ws INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX items_id ON items (ws, id);
CREATE INDEX items_open ON items (ws, seq) WHERE state <> 'done';

CREATE TABLE offers (
    ws INTEGER NOT NULL, id TEXT NOT NULL, item TEXT NOT NULL, agent TEXT NOT NULL,
    pending INTEGER NOT NULL, at INTEGER NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, id)
) STRICT;
CREATE UNIQUE INDEX offers_item ON offers (ws, item) WHERE pending = 1;
CREATE INDEX offers_agent ON offers (ws, agent, at, id) WHERE pending = 1;

CREATE TABLE assignments (
    ws INTEGER NOT NULL, id TEXT NOT NULL, item TEXT NOT NULL, agent TEXT NOT NULL,
    open INTEGER NOT NULL, at INTEGER NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, id)
) STRICT;
CREATE UNIQUE INDEX assignments_item ON assignments (ws, item) WHERE open = 1;
CREATE INDEX assignments_agent ON assignments (ws, agent, at, id) WHERE open = 1;

CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY,
    ws INTEGER NOT NULL, item TEXT NOT NULL, v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_item ON decisions (ws, item, seq);

-- The feed. seq is one series over all workspaces.
CREATE TABLE events (
    ws INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    ws INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,
    v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE deadlines (
    ws INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (ws, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX deadlines_due ON deadlines (at, ws, kind, id);

-- wake is when a job may be claimed: when it is due, or when its lease ends.
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    ws INTEGER NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL,
    due INTEGER NOT NULL, wake INTEGER NOT NULL, attempts INTEGER NOT NULL, progress INTEGER NOT NULL, reason TEXT NOT NULL,
    token TEXT NOT NULL DEFAULT '', created INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0, payload BLOB
) STRICT;
CREATE UNIQUE INDEX jobs_id ON jobs (ws, id);
CREATE UNIQUE INDEX jobs_key ON jobs (ws, kind, key) WHERE key <> '' AND state IN ('queued', 'running');
CREATE INDEX jobs_due ON jobs (wake, seq) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_dead ON jobs (ws, ended, seq) WHERE state = 'dead';
CREATE INDEX jobs_done ON jobs (ws, created) WHERE state = 'done';

CREATE TABLE commands (
    ws INTEGER NOT NULL, principal TEXT NOT NULL, key TEXT NOT NULL,
    digest TEXT NOT NULL, result BLOB, at INTEGER NOT NULL,
    PRIMARY KEY (ws, principal, key)
) STRICT;
CREATE INDEX commands_at ON commands (ws, at);

-- rank is made of the time, so that the newest are the highest.
CREATE TABLE search_messages (
    rank INTEGER PRIMARY KEY,
    ws INTEGER NOT NULL, message TEXT NOT NULL, conversation TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX search_messages_id ON search_messages (ws, message);
CREATE VIRTUAL TABLE search_tokens USING fts5 (
    tokens, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);

CREATE TABLE blobs (
    ws INTEGER NOT NULL, name TEXT NOT NULL, v INTEGER NOT NULL DEFAULT 1, doc TEXT NOT NULL,
    PRIMARY KEY (ws, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE vault (
    ws INTEGER NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (ws, owner, name)
) STRICT, WITHOUT ROWID;
