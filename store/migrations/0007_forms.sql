-- depends: 0006_tools
-- Forms that people answer, the sealed checkpoints of runs that can go on, and who executes a run.
CREATE TABLE forms (
    id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    app_id TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    token_hash TEXT UNIQUE,
    status TEXT NOT NULL,
    definition TEXT NOT NULL,
    answer TEXT,
    answered_by TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    decided_at BIGINT
);
CREATE UNIQUE INDEX forms_of_run ON forms (run_id, execution_id);
CREATE INDEX forms_due ON forms (expires_at) WHERE decided_at IS NULL;
CREATE TABLE checkpoints (
    run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
ALTER TABLE runs ADD COLUMN worker TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN resumed_after INTEGER NOT NULL DEFAULT 0;
