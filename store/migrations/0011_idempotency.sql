-- depends: 0010_run_files
-- Which run a request with an Idempotency-Key began. Of key and body only the SHA-256 is kept.
CREATE TABLE idempotency_keys (
    subject TEXT NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    key_hash TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (subject, app_id, key_hash)
);
CREATE INDEX idempotency_keys_by_run ON idempotency_keys (run_id);
