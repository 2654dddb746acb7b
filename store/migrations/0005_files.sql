-- depends: 0004_runs
-- Files: what people uploaded for an app, and what runs made. The bytes are elsewhere, under the id.
CREATE TABLE files (
    id TEXT PRIMARY KEY,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_by TEXT NOT NULL,
    origin TEXT NOT NULL,
    name TEXT NOT NULL,
    extension TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX files_by_expiry ON files (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX files_of_app ON files (app_id);
