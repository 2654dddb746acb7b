-- depends: 0009_datasets
-- What was attached to a run (JSON): a run that waits for its turn is started with it after a restart.
ALTER TABLE runs ADD COLUMN files TEXT;
