-- +goose Up

-- Accounts, the configuration, the records of blobs and sealed values become
-- documents: their tables go, so that a program of before cannot write into them.
-- g is a value that is unique over all workspaces, such as a webhook token.
ALTER TABLE documents ADD COLUMN g BLOB;
CREATE UNIQUE INDEX documents_g ON documents (kind, g) WHERE g IS NOT NULL;

INSERT INTO documents (ws, kind, id, version, decl, i0, g, body)
SELECT ws, 'account', id, version, 1, CAST(id AS BLOB), CASE WHEN token <> '' THEN CAST(token AS BLOB) END,
    CAST(CASE WHEN sealed IS NULL THEN doc
        ELSE substr(doc, 1, length(doc) - 1) || ',"sealed":"' || lower(hex(sealed)) || '"}' END AS BLOB)
FROM accounts;

INSERT INTO documents (ws, kind, id, version, decl, u0, body)
SELECT ws, 'desk', id, 1, 1, CAST(name AS BLOB),
    CAST(substr(doc, 1, length(doc) - 1) || ',"members":' || (SELECT json_group_array(agent) FROM
        (SELECT agent FROM desk_members m WHERE m.ws = d.ws AND m.desk = d.id ORDER BY agent)) || '}' AS BLOB)
FROM desks d;

INSERT INTO documents (ws, kind, id, version, decl, body)
SELECT ws, 'work_stream', id, 1, 1, CAST(doc AS BLOB) FROM work_streams;

INSERT INTO documents (ws, kind, id, version, decl, body)
SELECT ws, 'queue', id, 1, 1, CAST(doc AS BLOB) FROM queues;

INSERT INTO documents (ws, kind, id, version, decl, body)
SELECT ws, 'blob', name, 1, 1, CAST(doc AS BLOB) FROM blobs;

INSERT INTO documents (ws, kind, id, version, decl, i0, body)
SELECT ws, 'sealed', length(CAST(owner AS BLOB)) || ':' || owner || name, 1, 1,
    CAST(owner || CAST(x'0001' AS TEXT) || name AS BLOB),
    CAST('{"owner":' || json_quote(owner) || ',"name":' || json_quote(name) || ',"sealed":"' || lower(hex(sealed)) || '"}' AS BLOB)
FROM vault;

DROP TABLE desk_members;
DROP TABLE desks;
DROP TABLE work_streams;
DROP TABLE queues;
DROP TABLE accounts;
DROP TABLE blobs;
DROP TABLE vault;

UPDATE schema_info SET version = 7, min_program = 7;
