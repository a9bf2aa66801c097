-- +goose Up

-- Contacts and identities become documents, each found as before: by what a
-- provider calls a person, by the contact, by the words of a contact, which were
-- documents of their own. Their tables go, so that a program of before cannot
-- write into them. A key above 400 bytes is its beginning and a hash.
INSERT INTO documents (ws, kind, id, version, decl, i0, body)
SELECT ws, 'contact', id, version, 1, CAST(id AS BLOB), CAST(doc AS BLOB) FROM contacts;

UPDATE document_tags SET kind = 'contact' WHERE kind = 'contact.found';
DELETE FROM documents WHERE kind = 'contact.found';

INSERT INTO documents (ws, kind, id, version, decl, u0, i0, body)
SELECT ws, 'identity', id, version, 1,
    CASE WHEN length(u) <= 400 THEN u ELSE CAST(CAST(substr(u, 1, 400) AS TEXT) || CAST(sha256(u) AS TEXT) AS BLOB) END,
    CAST(contact AS BLOB), CAST(doc AS BLOB)
FROM (SELECT *, CAST(kind || CAST(x'0001' AS TEXT) || scope || CAST(x'0001' AS TEXT) || user || CAST(x'0001' AS TEXT) AS BLOB) AS u
    FROM identities);

DROP TABLE contacts;
DROP TABLE identities;

UPDATE schema_info SET version = 8, min_program = 8;
