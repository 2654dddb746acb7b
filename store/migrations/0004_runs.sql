-- depends: 0003_apps
-- Conversations, their messages, runs, the event log, and the audit trail.
CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    inputs TEXT NOT NULL,
    variables TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX conversations_by_subject ON conversations (app_id, subject, updated_at DESC, id DESC);
CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    query TEXT NOT NULL,
    inputs TEXT NOT NULL,
    answer TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    tokens INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX messages_in_order ON messages (conversation_id, created_at, id);
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    version_id TEXT NOT NULL,
    mode TEXT NOT NULL,
    subject TEXT NOT NULL,
    account_id TEXT,
    session_id TEXT NOT NULL,
    status TEXT NOT NULL,
    inputs TEXT NOT NULL,
    query TEXT,
    conversation_id TEXT,
    message_id TEXT,
    outputs TEXT,
    error TEXT,
    elapsed DOUBLE PRECISION NOT NULL,
    total_tokens BIGINT NOT NULL,
    total_steps INTEGER NOT NULL,
    exceptions_count INTEGER NOT NULL,
    stop_requested BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT
);
CREATE INDEX runs_of_subject ON runs (app_id, subject, created_at DESC, id DESC);
CREATE INDEX runs_unfinished ON runs (status, app_id) WHERE finished_at IS NULL;
CREATE TABLE events (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
);
CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    actor TEXT,
    request_id TEXT,
    fields TEXT NOT NULL
);
CREATE INDEX audit_newest_first ON audit (at DESC, id DESC);
