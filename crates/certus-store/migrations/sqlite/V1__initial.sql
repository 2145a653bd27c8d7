-- The first schema of an authority's store, for SQLite. What each table is for and why: docs/schema.md.
-- Times are milliseconds since 1970-01-01T00:00:00Z. Public ids are 16 octets. Facts only: no statuses.

CREATE TABLE binding_keys (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    sealing_key TEXT NOT NULL,
    secret BLOB NOT NULL,
    names TEXT NOT NULL,
    suffixes TEXT NOT NULL,
    profiles TEXT NOT NULL,
    quota INTEGER CHECK (quota > 0),
    expires INTEGER,
    single_use INTEGER NOT NULL CHECK (single_use IN (0, 1)),
    vouches INTEGER NOT NULL CHECK (vouches IN (0, 1)),
    created INTEGER NOT NULL,
    revoked INTEGER
) STRICT;

CREATE TABLE accounts (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    thumbprint BLOB NOT NULL UNIQUE CHECK (length(thumbprint) = 32),
    jwk TEXT NOT NULL,
    contact TEXT NOT NULL,
    terms TEXT,
    created INTEGER NOT NULL,
    deactivated INTEGER,
    by_operator INTEGER NOT NULL DEFAULT 0 CHECK (by_operator = 0 OR deactivated IS NOT NULL),
    binding_key INTEGER REFERENCES binding_keys (key),
    binding TEXT,
    limits TEXT,
    CHECK ((binding_key IS NULL) = (binding IS NULL))
) STRICT;
CREATE INDEX accounts_binding ON accounts (binding_key) WHERE binding_key IS NOT NULL;

CREATE TABLE issuers (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    chain TEXT NOT NULL,
    registered INTEGER NOT NULL
) STRICT;

CREATE TABLE shards (
    issuer INTEGER NOT NULL REFERENCES issuers (key),
    shard INTEGER NOT NULL CHECK (shard >= 0),
    revocations INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (issuer, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE crls (
    issuer INTEGER NOT NULL REFERENCES issuers (key),
    shard INTEGER NOT NULL CHECK (shard >= 0),
    number INTEGER NOT NULL CHECK (number >= 0),
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    revocations INTEGER NOT NULL,
    der BLOB NOT NULL,
    PRIMARY KEY (issuer, shard)
) STRICT;

CREATE TABLE certificates (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    account INTEGER REFERENCES accounts (key),
    issuer INTEGER NOT NULL REFERENCES issuers (key),
    serial BLOB NOT NULL CHECK (length(serial) BETWEEN 1 AND 20),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    spki_sha256 BLOB NOT NULL CHECK (length(spki_sha256) = 32),
    profile TEXT NOT NULL,
    shard INTEGER NOT NULL CHECK (shard >= 0),
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    issued INTEGER NOT NULL,
    revoked INTEGER,
    reason INTEGER,
    replaced_by INTEGER REFERENCES certificates (key),
    der BLOB NOT NULL,
    UNIQUE (issuer, serial),
    CHECK (reason IS NULL OR revoked IS NOT NULL)
) STRICT;
CREATE INDEX certificates_sha256 ON certificates (sha256);
CREATE INDEX certificates_spki ON certificates (spki_sha256);
CREATE INDEX certificates_account ON certificates (account, key) WHERE account IS NOT NULL;
CREATE INDEX certificates_revoked ON certificates (issuer, shard) WHERE revoked IS NOT NULL;

CREATE TABLE certificate_names (
    certificate INTEGER NOT NULL REFERENCES certificates (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('dns', 'ip')),
    value TEXT NOT NULL,
    reversed TEXT,
    PRIMARY KEY (certificate, position),
    CHECK ((type = 'dns') = (reversed IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_names_reversed ON certificate_names (reversed, certificate) WHERE reversed IS NOT NULL;

CREATE TABLE orders (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    account INTEGER NOT NULL REFERENCES accounts (key),
    profile TEXT NOT NULL,
    not_before INTEGER,
    not_after INTEGER,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    finalized INTEGER,
    public_key BLOB,
    issued INTEGER,
    certificate INTEGER UNIQUE REFERENCES certificates (key),
    failed INTEGER,
    problem TEXT,
    closed INTEGER,
    replaces INTEGER REFERENCES certificates (key),
    replaces_id TEXT,
    replaces_due INTEGER CHECK (replaces_due IN (0, 1)),
    CHECK ((finalized IS NULL) = (public_key IS NULL)),
    CHECK ((issued IS NULL) = (certificate IS NULL)),
    CHECK ((failed IS NULL) = (problem IS NULL)),
    CHECK (issued IS NULL OR failed IS NULL),
    CHECK (finalized IS NOT NULL OR (issued IS NULL AND failed IS NULL)),
    CHECK (closed IS NOT NULL OR (issued IS NULL AND failed IS NULL)),
    CHECK ((replaces IS NULL) = (replaces_id IS NULL)),
    CHECK ((replaces IS NULL) = (replaces_due IS NULL))
) STRICT;
CREATE INDEX orders_open ON orders (account, expires) WHERE closed IS NULL;
CREATE INDEX orders_listed ON orders (account, key) WHERE closed IS NULL OR issued IS NOT NULL;
CREATE INDEX orders_expires ON orders (expires);
CREATE INDEX orders_replaces ON orders (replaces) WHERE replaces IS NOT NULL;

CREATE TABLE authorizations (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    account INTEGER NOT NULL REFERENCES accounts (key),
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    settled INTEGER,
    deactivated INTEGER,
    reuse INTEGER,
    retries INTEGER NOT NULL,
    vouched INTEGER NOT NULL CHECK (vouched IN (0, 1))
) STRICT;
CREATE INDEX authorizations_open ON authorizations (account, expires) WHERE settled IS NULL AND deactivated IS NULL;
CREATE INDEX authorizations_expires ON authorizations (expires);
CREATE INDEX authorizations_name ON authorizations (account, type, value)
    WHERE settled IS NOT NULL AND deactivated IS NULL;
CREATE INDEX authorizations_reusable ON authorizations (account, type, value)
    WHERE reuse IS NOT NULL AND settled IS NOT NULL AND deactivated IS NULL;

CREATE TABLE order_identifiers (
    order_key INTEGER NOT NULL REFERENCES orders (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    authorization_key INTEGER NOT NULL REFERENCES authorizations (key),
    PRIMARY KEY (order_key, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX order_identifiers_authorization ON order_identifiers (authorization_key);

CREATE TABLE evidence (
    key INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    method TEXT NOT NULL,
    validated INTEGER NOT NULL,
    caa TEXT
) STRICT;

CREATE TABLE perspectives (
    evidence INTEGER NOT NULL REFERENCES evidence (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    hop INTEGER NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    resolver TEXT,
    resolved TEXT NOT NULL,
    address TEXT,
    port INTEGER,
    PRIMARY KEY (evidence, position, hop),
    CHECK ((address IS NULL) = (port IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE challenges (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    authorization_key INTEGER NOT NULL REFERENCES authorizations (key) ON DELETE CASCADE,
    method TEXT NOT NULL,
    token TEXT NOT NULL,
    begun INTEGER,
    validated INTEGER,
    evidence INTEGER UNIQUE REFERENCES evidence (key),
    failures INTEGER,
    retry INTEGER,
    failed INTEGER,
    problem TEXT,
    CHECK ((validated IS NULL) = (evidence IS NULL)),
    CHECK ((failures IS NULL) = (retry IS NULL)),
    CHECK ((failed IS NULL AND retry IS NULL) = (problem IS NULL)),
    CHECK (retry IS NULL OR (validated IS NULL AND failed IS NULL)),
    CHECK (validated IS NULL OR failed IS NULL),
    CHECK (begun IS NOT NULL OR (retry IS NULL AND validated IS NULL AND failed IS NULL))
) STRICT;
CREATE INDEX challenges_authorization ON challenges (authorization_key);

CREATE TABLE certificate_evidence (
    certificate INTEGER NOT NULL REFERENCES certificates (key) ON DELETE CASCADE,
    evidence INTEGER NOT NULL REFERENCES evidence (key),
    PRIMARY KEY (certificate, evidence)
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_evidence_evidence ON certificate_evidence (evidence);

CREATE TABLE intents (
    key INTEGER PRIMARY KEY,
    issuer INTEGER NOT NULL REFERENCES issuers (key),
    serial BLOB NOT NULL CHECK (length(serial) BETWEEN 1 AND 20),
    tbs_sha256 BLOB NOT NULL CHECK (length(tbs_sha256) = 32),
    order_key INTEGER REFERENCES orders (key) ON DELETE SET NULL,
    shard INTEGER NOT NULL CHECK (shard >= 0),
    not_after INTEGER NOT NULL,
    recorded INTEGER NOT NULL,
    issued INTEGER,
    retired INTEGER,
    caa TEXT,
    UNIQUE (issuer, serial),
    CHECK (issued IS NULL OR retired IS NULL)
) STRICT;
CREATE INDEX intents_order ON intents (order_key) WHERE order_key IS NOT NULL;
CREATE INDEX intents_unknown ON intents (recorded) WHERE issued IS NULL AND retired IS NULL;
CREATE INDEX intents_retired ON intents (issuer, shard) WHERE retired IS NOT NULL;

CREATE TABLE processes (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    program TEXT NOT NULL,
    started INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    retired INTEGER
) STRICT;

CREATE TABLE jobs (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    challenge INTEGER UNIQUE REFERENCES challenges (key),
    order_key INTEGER UNIQUE REFERENCES orders (key),
    request BLOB NOT NULL CHECK (length(request) = 16),
    created INTEGER NOT NULL,
    due INTEGER NOT NULL,
    fence INTEGER NOT NULL CHECK (fence >= 0),
    process INTEGER REFERENCES processes (key),
    CHECK ((challenge IS NULL) <> (order_key IS NULL))
) STRICT;
CREATE INDEX jobs_free ON jobs (due) WHERE process IS NULL;
CREATE INDEX jobs_process ON jobs (process) WHERE process IS NOT NULL;

CREATE TABLE blocked_keys (
    spki_sha256 BLOB PRIMARY KEY CHECK (length(spki_sha256) = 32),
    blocked INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE renewal_rules (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    issuers TEXT NOT NULL,
    profiles TEXT NOT NULL,
    keys TEXT NOT NULL,
    names TEXT NOT NULL,
    accounts TEXT NOT NULL,
    window_start INTEGER NOT NULL,
    window_end INTEGER NOT NULL,
    explanation TEXT,
    author INTEGER NOT NULL,
    made INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    ended INTEGER,
    CHECK (window_start < window_end)
) STRICT;
CREATE INDEX renewal_rules_active ON renewal_rules (ends) WHERE ended IS NULL;
CREATE TABLE limits (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    tat INTEGER NOT NULL,
    UNIQUE (name, subject)
) STRICT;

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    key INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    request BLOB CHECK (length(request) = 16)
) STRICT;
CREATE INDEX audit_at ON audit (at);
