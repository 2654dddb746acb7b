-- depends: 0002_sign_in
-- Apps, their versions (one draft, any number published), tags and the allow list of private apps.
CREATE TABLE apps (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    author_id TEXT REFERENCES accounts (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    mode TEXT NOT NULL,
    description TEXT NOT NULL,
    icon_type TEXT,
    icon TEXT,
    icon_background TEXT,
    status TEXT NOT NULL,
    enable_api BOOLEAN NOT NULL,
    access_mode TEXT NOT NULL,
    published_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX apps_newest_first ON apps (workspace_id, status, enable_api, created_at DESC, id DESC);
CREATE INDEX apps_newest_first_by_mode ON apps (workspace_id, status, enable_api, mode, created_at DESC, id DESC);
CREATE INDEX apps_open_to_externals ON apps (created_at DESC, id DESC) WHERE access_mode IN ('public', 'sso_verified');
CREATE TABLE versions (
    id TEXT PRIMARY KEY,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    is_draft BOOLEAN NOT NULL,
    definition TEXT NOT NULL,
    source TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX versions_by_app ON versions (app_id, created_at);
CREATE UNIQUE INDEX one_draft_per_app ON versions (app_id) WHERE is_draft;
CREATE TABLE app_tags (
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (app_id, name)
);
CREATE INDEX app_tags_by_name ON app_tags (name, app_id);
CREATE TABLE app_grants (
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    email_key TEXT NOT NULL,
    PRIMARY KEY (app_id, email_key)
);
