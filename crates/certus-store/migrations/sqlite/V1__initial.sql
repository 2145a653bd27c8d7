CREATE TABLE process (
    key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, host TEXT NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL,
    started INTEGER NOT NULL, seen INTEGER NOT NULL, ended INTEGER
) STRICT;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    key INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    object TEXT NOT NULL, request BLOB
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE TABLE account (
    key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, thumbprint BLOB NOT NULL UNIQUE, jwk TEXT NOT NULL,
    created INTEGER NOT NULL, deactivated INTEGER, version INTEGER NOT NULL
) STRICT;
CREATE TABLE account_contact (
    account INTEGER NOT NULL REFERENCES account, place INTEGER NOT NULL, url TEXT NOT NULL, PRIMARY KEY (account, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE issuer (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, chain_pem TEXT NOT NULL
) STRICT;
CREATE TABLE crl (
    issuer TEXT NOT NULL, shard INTEGER NOT NULL, number INTEGER NOT NULL, this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL, der BLOB NOT NULL, PRIMARY KEY (issuer, shard)
) STRICT;
CREATE TABLE certificate (
    key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, issuer INTEGER NOT NULL REFERENCES issuer, serial BLOB NOT NULL,
    der BLOB NOT NULL, sha256 BLOB NOT NULL, spki_sha256 BLOB NOT NULL, account INTEGER REFERENCES account,
    profile TEXT NOT NULL, shard INTEGER NOT NULL, not_before INTEGER NOT NULL, not_after INTEGER NOT NULL,
    issued INTEGER NOT NULL, revoked INTEGER, revocation_reason INTEGER, replaced_by INTEGER REFERENCES certificate,
    UNIQUE (issuer, serial)
) STRICT;
CREATE INDEX certificate_sha256 ON certificate (sha256);
CREATE INDEX certificate_spki ON certificate (spki_sha256);
CREATE INDEX certificate_account ON certificate (account);
CREATE INDEX certificate_not_after ON certificate (not_after);
CREATE INDEX certificate_shard ON certificate (issuer, shard);
CREATE TABLE certificate_name (
    certificate INTEGER NOT NULL REFERENCES certificate, type TEXT NOT NULL, value TEXT NOT NULL, reversed TEXT NOT NULL,
    PRIMARY KEY (certificate, type, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_name_reversed ON certificate_name (reversed);
CREATE TABLE acme_order (
    key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, account INTEGER NOT NULL REFERENCES account, profile TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER NOT NULL, processing_since INTEGER, spki BLOB, issued INTEGER,
    certificate INTEGER REFERENCES certificate, failed INTEGER, problem TEXT, version INTEGER NOT NULL
) STRICT;
CREATE INDEX acme_order_open ON acme_order (account, expires) WHERE issued IS NULL AND failed IS NULL;
CREATE INDEX acme_order_expires ON acme_order (expires);
CREATE TABLE authorization (
    key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, account INTEGER NOT NULL REFERENCES account,
    identifier_type TEXT NOT NULL, identifier_value TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,
    deactivated INTEGER, decided INTEGER, version INTEGER NOT NULL
) STRICT;
CREATE INDEX authorization_pending ON authorization (account, expires) WHERE decided IS NULL AND deactivated IS NULL;
CREATE INDEX authorization_expires ON authorization (expires);
CREATE TABLE order_authorization (
    acme_order INTEGER NOT NULL REFERENCES acme_order, place INTEGER NOT NULL,
    authorization INTEGER NOT NULL REFERENCES authorization, PRIMARY KEY (acme_order, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX order_authorization_authorization ON order_authorization (authorization);
CREATE TABLE challenge (
    key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, authorization INTEGER NOT NULL REFERENCES authorization,
    place INTEGER NOT NULL, method TEXT NOT NULL, token TEXT NOT NULL, processing_since INTEGER, validated INTEGER,
    evidence INTEGER, failed INTEGER, problem TEXT, UNIQUE (authorization, place)
) STRICT;
CREATE TABLE evidence (
    key INTEGER PRIMARY KEY, identifier_type TEXT NOT NULL, identifier_value TEXT NOT NULL, method TEXT NOT NULL,
    validated INTEGER NOT NULL, caa TEXT
) STRICT;
CREATE TABLE perspective (
    evidence INTEGER NOT NULL REFERENCES evidence, place INTEGER NOT NULL, name TEXT NOT NULL, resolver TEXT NOT NULL,
    address TEXT NOT NULL, port INTEGER NOT NULL, url TEXT NOT NULL, redirects INTEGER NOT NULL,
    PRIMARY KEY (evidence, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE certificate_evidence (
    certificate INTEGER NOT NULL REFERENCES certificate, evidence INTEGER NOT NULL REFERENCES evidence,
    PRIMARY KEY (certificate, evidence)
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_evidence_evidence ON certificate_evidence (evidence);
CREATE TABLE intent (
    key INTEGER PRIMARY KEY, issuer INTEGER NOT NULL REFERENCES issuer, serial BLOB NOT NULL, order_id BLOB,
    tbs_sha256 BLOB NOT NULL, shard INTEGER NOT NULL, not_after INTEGER NOT NULL, recorded INTEGER NOT NULL,
    issued INTEGER, retired INTEGER, UNIQUE (issuer, serial)
) STRICT;
CREATE INDEX intent_unknown ON intent (order_id) WHERE issued IS NULL AND retired IS NULL;
CREATE TABLE job (
    key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, authorization_id BLOB, challenge_id BLOB,
    order_id BLOB, request BLOB NOT NULL, fence INTEGER NOT NULL, process INTEGER REFERENCES process,
    lease_until INTEGER NOT NULL, not_before INTEGER NOT NULL
) STRICT;
CREATE INDEX job_due ON job (not_before);
