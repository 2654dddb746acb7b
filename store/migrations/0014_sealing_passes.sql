-- depends: 0013_runs_of_subject
-- How far a pass over what is stored has come that needs the server's key, and so cannot be a migration.
CREATE TABLE sealing_passes (
    name TEXT PRIMARY KEY,
    place TEXT NOT NULL,
    finished_at BIGINT
);
