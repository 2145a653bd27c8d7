-- The first schema of an authority's store, for PostgreSQL. What each table is for and why: docs/schema.md.
-- Times are milliseconds since 1970-01-01T00:00:00Z. Public ids are 16 octets. Facts only: no statuses.

CREATE TABLE binding_keys (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    sealing_key TEXT NOT NULL,
    secret BYTEA NOT NULL,
    names TEXT NOT NULL,
    suffixes TEXT NOT NULL,
    profiles TEXT NOT NULL,
    quota BIGINT CHECK (quota > 0),
    expires BIGINT,
    single_use BOOLEAN NOT NULL,
    vouches BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    revoked BIGINT
);

CREATE TABLE accounts (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    version BIGINT NOT NULL,
    thumbprint BYTEA NOT NULL UNIQUE CHECK (octet_length(thumbprint) = 32),
    jwk TEXT NOT NULL,
    contact TEXT NOT NULL,
    terms TEXT,
    created BIGINT NOT NULL,
    deactivated BIGINT,
    by_operator BOOLEAN NOT NULL DEFAULT FALSE CHECK (NOT by_operator OR deactivated IS NOT NULL),
    binding_key BIGINT REFERENCES binding_keys (key),
    binding TEXT,
    limits TEXT,
    CHECK ((binding_key IS NULL) = (binding IS NULL))
);
CREATE INDEX accounts_binding ON accounts (binding_key) WHERE binding_key IS NOT NULL;

CREATE TABLE issuers (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    chain TEXT NOT NULL,
    registered BIGINT NOT NULL
);

CREATE TABLE shards (
    issuer BIGINT NOT NULL REFERENCES issuers (key),
    shard BIGINT NOT NULL CHECK (shard >= 0),
    revocations BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (issuer, shard)
);

CREATE TABLE crls (
    issuer BIGINT NOT NULL REFERENCES issuers (key),
    shard BIGINT NOT NULL CHECK (shard >= 0),
    number BIGINT NOT NULL CHECK (number >= 0),
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    revocations BIGINT NOT NULL,
    der BYTEA NOT NULL,
    PRIMARY KEY (issuer, shard)
);

CREATE TABLE certificates (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    account BIGINT REFERENCES accounts (key),
    issuer BIGINT NOT NULL REFERENCES issuers (key),
    serial BYTEA NOT NULL CHECK (octet_length(serial) BETWEEN 1 AND 20),
    sha256 BYTEA NOT NULL CHECK (octet_length(sha256) = 32),
    spki_sha256 BYTEA NOT NULL CHECK (octet_length(spki_sha256) = 32),
    profile TEXT NOT NULL,
    shard BIGINT NOT NULL CHECK (shard >= 0),
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    issued BIGINT NOT NULL,
    revoked BIGINT,
    reason BIGINT,
    replaced_by BIGINT REFERENCES certificates (key),
    der BYTEA NOT NULL,
    UNIQUE (issuer, serial),
    CHECK (reason IS NULL OR revoked IS NOT NULL)
);
CREATE INDEX certificates_sha256 ON certificates (sha256);
CREATE INDEX certificates_spki ON certificates (spki_sha256);
CREATE INDEX certificates_account ON certificates (account, key) WHERE account IS NOT NULL;
CREATE INDEX certificates_revoked ON certificates (issuer, shard) WHERE revoked IS NOT NULL;

CREATE TABLE certificate_names (
    certificate BIGINT NOT NULL REFERENCES certificates (key) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('dns', 'ip')),
    value TEXT NOT NULL,
    reversed TEXT COLLATE "C",
    PRIMARY KEY (certificate, position),
    CHECK ((type = 'dns') = (reversed IS NOT NULL))
);
CREATE INDEX certificate_names_reversed ON certificate_names (reversed, certificate) WHERE reversed IS NOT NULL;

CREATE TABLE orders (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    version BIGINT NOT NULL,
    account BIGINT NOT NULL REFERENCES accounts (key),
    profile TEXT NOT NULL,
    not_before BIGINT,
    not_after BIGINT,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    finalized BIGINT,
    public_key BYTEA,
    issued BIGINT,
    certificate BIGINT UNIQUE REFERENCES certificates (key),
    failed BIGINT,
    problem TEXT,
    closed BIGINT,
    replaces BIGINT REFERENCES certificates (key),
    replaces_id TEXT,
    replaces_due BOOLEAN,
    CHECK ((finalized IS NULL) = (public_key IS NULL)),
    CHECK ((issued IS NULL) = (certificate IS NULL)),
    CHECK ((failed IS NULL) = (problem IS NULL)),
    CHECK (issued IS NULL OR failed IS NULL),
    CHECK (finalized IS NOT NULL OR (issued IS NULL AND failed IS NULL)),
    CHECK (closed IS NOT NULL OR (issued IS NULL AND failed IS NULL)),
    CHECK ((replaces IS NULL) = (replaces_id IS NULL)),
    CHECK ((replaces IS NULL) = (replaces_due IS NULL))
);
CREATE INDEX orders_open ON orders (account, expires) WHERE closed IS NULL;
CREATE INDEX orders_listed ON orders (account, key) WHERE closed IS NULL OR issued IS NOT NULL;
CREATE INDEX orders_expires ON orders (expires);
CREATE INDEX orders_replaces ON orders (replaces) WHERE replaces IS NOT NULL;

CREATE TABLE authorizations (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    version BIGINT NOT NULL,
    account BIGINT NOT NULL REFERENCES accounts (key),
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    settled BIGINT,
    deactivated BIGINT,
    reuse BIGINT,
    retries BIGINT NOT NULL,
    vouched BOOLEAN NOT NULL
);
CREATE INDEX authorizations_open ON authorizations (account, expires) WHERE settled IS NULL AND deactivated IS NULL;
CREATE INDEX authorizations_expires ON authorizations (expires);
CREATE INDEX authorizations_name ON authorizations (account, type, value)
    WHERE settled IS NOT NULL AND deactivated IS NULL;
CREATE INDEX authorizations_reusable ON authorizations (account, type, value)
    WHERE reuse IS NOT NULL AND settled IS NOT NULL AND deactivated IS NULL;

CREATE TABLE order_identifiers (
    order_key BIGINT NOT NULL REFERENCES orders (key) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    authorization_key BIGINT NOT NULL REFERENCES authorizations (key),
    PRIMARY KEY (order_key, position)
);
CREATE INDEX order_identifiers_authorization ON order_identifiers (authorization_key);

CREATE TABLE evidence (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    method TEXT NOT NULL,
    validated BIGINT NOT NULL,
    caa TEXT
);

CREATE TABLE perspectives (
    evidence BIGINT NOT NULL REFERENCES evidence (key) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    hop BIGINT NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    resolver TEXT,
    resolved TEXT NOT NULL,
    address TEXT,
    port BIGINT,
    PRIMARY KEY (evidence, position, hop),
    CHECK ((address IS NULL) = (port IS NULL))
);

CREATE TABLE challenges (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    authorization_key BIGINT NOT NULL REFERENCES authorizations (key) ON DELETE CASCADE,
    method TEXT NOT NULL,
    token TEXT NOT NULL,
    begun BIGINT,
    validated BIGINT,
    evidence BIGINT UNIQUE REFERENCES evidence (key),
    failures BIGINT,
    retry BIGINT,
    failed BIGINT,
    problem TEXT,
    CHECK ((validated IS NULL) = (evidence IS NULL)),
    CHECK ((failures IS NULL) = (retry IS NULL)),
    CHECK ((failed IS NULL AND retry IS NULL) = (problem IS NULL)),
    CHECK (retry IS NULL OR (validated IS NULL AND failed IS NULL)),
    CHECK (validated IS NULL OR failed IS NULL),
    CHECK (begun IS NOT NULL OR (retry IS NULL AND validated IS NULL AND failed IS NULL))
);
CREATE INDEX challenges_authorization ON challenges (authorization_key);

CREATE TABLE certificate_evidence (
    certificate BIGINT NOT NULL REFERENCES certificates (key) ON DELETE CASCADE,
    evidence BIGINT NOT NULL REFERENCES evidence (key),
    PRIMARY KEY (certificate, evidence)
);
CREATE INDEX certificate_evidence_evidence ON certificate_evidence (evidence);

CREATE TABLE intents (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer BIGINT NOT NULL REFERENCES issuers (key),
    serial BYTEA NOT NULL CHECK (octet_length(serial) BETWEEN 1 AND 20),
    tbs_sha256 BYTEA NOT NULL CHECK (octet_length(tbs_sha256) = 32),
    order_key BIGINT REFERENCES orders (key) ON DELETE SET NULL,
    shard BIGINT NOT NULL CHECK (shard >= 0),
    not_after BIGINT NOT NULL,
    recorded BIGINT NOT NULL,
    issued BIGINT,
    retired BIGINT,
    caa TEXT,
    UNIQUE (issuer, serial),
    CHECK (issued IS NULL OR retired IS NULL)
);
CREATE INDEX intents_order ON intents (order_key) WHERE order_key IS NOT NULL;
CREATE INDEX intents_unknown ON intents (recorded) WHERE issued IS NULL AND retired IS NULL;
CREATE INDEX intents_retired ON intents (issuer, shard) WHERE retired IS NOT NULL;

CREATE TABLE processes (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    host TEXT NOT NULL,
    pid BIGINT NOT NULL,
    program TEXT NOT NULL,
    started BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    retired BIGINT
);

CREATE TABLE jobs (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    challenge BIGINT UNIQUE REFERENCES challenges (key),
    order_key BIGINT UNIQUE REFERENCES orders (key),
    request BYTEA NOT NULL CHECK (octet_length(request) = 16),
    created BIGINT NOT NULL,
    due BIGINT NOT NULL,
    fence BIGINT NOT NULL CHECK (fence >= 0),
    process BIGINT REFERENCES processes (key),
    CHECK ((challenge IS NULL) <> (order_key IS NULL))
);
CREATE INDEX jobs_free ON jobs (due) WHERE process IS NULL;
CREATE INDEX jobs_process ON jobs (process) WHERE process IS NOT NULL;

CREATE TABLE blocked_keys (
    spki_sha256 BYTEA PRIMARY KEY CHECK (octet_length(spki_sha256) = 32),
    blocked BIGINT NOT NULL
);

CREATE TABLE renewal_rules (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    issuers TEXT NOT NULL,
    profiles TEXT NOT NULL,
    keys TEXT NOT NULL,
    names TEXT NOT NULL,
    accounts TEXT NOT NULL,
    window_start BIGINT NOT NULL,
    window_end BIGINT NOT NULL,
    explanation TEXT,
    author BIGINT NOT NULL,
    made BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    ended BIGINT,
    CHECK (window_start < window_end)
);
CREATE INDEX renewal_rules_active ON renewal_rules (ends) WHERE ended IS NULL;
CREATE TABLE limits (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    tat BIGINT NOT NULL,
    UNIQUE (name, subject)
);

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE audit (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    request BYTEA CHECK (octet_length(request) = 16)
);
CREATE INDEX audit_at ON audit (at);
