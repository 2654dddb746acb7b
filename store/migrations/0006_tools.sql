-- depends: 0003_apps
-- Imported APIs whose operations are tools of a workspace's apps; the credential is sealed with the server's key.
CREATE TABLE tool_providers (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    definition TEXT NOT NULL,
    source TEXT NOT NULL,
    sealed_credential TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX tool_providers_by_name ON tool_providers (workspace_id, name_key);
