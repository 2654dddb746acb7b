-- depends: 0001_people
-- Sessions (one row per token) and device flows. Tokens and codes are kept as SHA-256 only.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    token_hash TEXT UNIQUE,
    prefix TEXT NOT NULL,
    subject TEXT NOT NULL,
    account_id TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    issuer TEXT NOT NULL,
    client_id TEXT NOT NULL,
    device_label TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE UNIQUE INDEX one_live_session_per_device ON sessions (subject, client_id, device_label) WHERE revoked_at IS NULL;
CREATE INDEX live_sessions_newest_first ON sessions (subject, created_at DESC, id DESC, expires_at) WHERE revoked_at IS NULL;
CREATE INDEX sessions_by_account ON sessions (account_id);
CREATE TABLE device_flows (
    device_hash TEXT PRIMARY KEY,
    user_hash TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    device_label TEXT NOT NULL,
    address TEXT NOT NULL,
    status TEXT NOT NULL,
    account_id TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    interval_s INTEGER NOT NULL,
    last_poll_at BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX device_flows_by_expiry ON device_flows (expires_at);
