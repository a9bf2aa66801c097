-- +goose Up

-- documents are bodies with a version, unique keys (u) and ordered indexes (i);
-- the program declares their kinds, so that a new one needs no migration.
CREATE TABLE documents (
    ws INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, decl INTEGER NOT NULL,
    u0 BLOB, u1 BLOB, u2 BLOB,
    i0 BLOB, i1 BLOB, i2 BLOB, i3 BLOB, i4 BLOB, i5 BLOB, i6 BLOB, i7 BLOB,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX documents_id ON documents (ws, kind, id);
CREATE INDEX documents_decl ON documents (ws, kind, decl, id);
CREATE UNIQUE INDEX documents_u0 ON documents (ws, kind, u0) WHERE u0 IS NOT NULL;
CREATE UNIQUE INDEX documents_u1 ON documents (ws, kind, u1) WHERE u1 IS NOT NULL;
CREATE UNIQUE INDEX documents_u2 ON documents (ws, kind, u2) WHERE u2 IS NOT NULL;
CREATE INDEX documents_i0 ON documents (ws, kind, i0, id) WHERE i0 IS NOT NULL;
CREATE INDEX documents_i1 ON documents (ws, kind, i1, id) WHERE i1 IS NOT NULL;
CREATE INDEX documents_i2 ON documents (ws, kind, i2, id) WHERE i2 IS NOT NULL;
CREATE INDEX documents_i3 ON documents (ws, kind, i3, id) WHERE i3 IS NOT NULL;
CREATE INDEX documents_i4 ON documents (ws, kind, i4, id) WHERE i4 IS NOT NULL;
CREATE INDEX documents_i5 ON documents (ws, kind, i5, id) WHERE i5 IS NOT NULL;
CREATE INDEX documents_i6 ON documents (ws, kind, i6, id) WHERE i6 IS NOT NULL;
CREATE INDEX documents_i7 ON documents (ws, kind, i7, id) WHERE i7 IS NOT NULL;
-- tags are values of which a document has many; ord orders those that share one.
CREATE TABLE document_tags (
    ws INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, ord BLOB NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (ws, kind, name, value, ord, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_tags_id ON document_tags (ws, kind, id);

UPDATE schema_info SET version = 2;
