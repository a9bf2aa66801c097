-- Accounts, the configuration, the records of blobs and sealed values become
-- documents: their tables go, so that a program of before cannot write into them.
-- g is a value that is unique over all workspaces, such as a webhook token.
-- What stood in these tables begins with {"v":1, which bodies of documents lack.
ALTER TABLE documents ADD COLUMN g bytea;
CREATE UNIQUE INDEX documents_g ON documents (kind, g) WHERE g IS NOT NULL;

INSERT INTO documents (ws, kind, id, version, decl, g, i0, body)
SELECT ws, 'account', id, version, 1, CASE WHEN token <> '' THEN convert_to(token, 'UTF8') END, convert_to(id, 'UTF8'),
    convert_to(CASE WHEN sealed IS NULL THEN t ELSE left(t, -1) || ',"sealed":"' || encode(sealed, 'hex') || '"}' END, 'UTF8')
FROM (SELECT *, '{' || substr(convert_from(doc, 'UTF8'), 8) AS t FROM accounts) a;

INSERT INTO documents (ws, kind, id, version, decl, u0, body)
SELECT ws, 'desk', id, 1, 1, convert_to(name, 'UTF8'),
    convert_to(left(t, -1) || ',"members":' || coalesce((SELECT json_agg(agent ORDER BY agent)::text FROM desk_members m
        WHERE m.ws = d.ws AND m.desk = d.id), '[]') || '}', 'UTF8')
FROM (SELECT *, '{' || substr(convert_from(doc, 'UTF8'), 8) AS t FROM desks) d;

INSERT INTO documents (ws, kind, id, version, decl, body)
SELECT ws, 'work_stream', id, 1, 1, convert_to('{' || substr(convert_from(doc, 'UTF8'), 8), 'UTF8') FROM work_streams
UNION ALL SELECT ws, 'queue', id, 1, 1, convert_to('{' || substr(convert_from(doc, 'UTF8'), 8), 'UTF8') FROM queues
UNION ALL SELECT ws, 'blob', name, 1, 1, convert_to('{' || substr(convert_from(doc, 'UTF8'), 8), 'UTF8') FROM blobs;

INSERT INTO documents (ws, kind, id, version, decl, i0, body)
SELECT ws, 'sealed', octet_length(owner) || ':' || owner || name, 1, 1,
    convert_to(owner, 'UTF8') || '\x0001'::bytea || convert_to(name, 'UTF8'),
    convert_to('{"owner":' || to_json(owner)::text || ',"name":' || to_json(name)::text || ',"sealed":"' || encode(sealed, 'hex') || '"}', 'UTF8')
FROM vault;

DROP TABLE desk_members, desks, work_streams, queues, accounts, blobs, vault;

UPDATE schema_info SET version = 9, min_program = 2;
