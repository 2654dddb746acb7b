-- depends: 0012_mails
-- How many runs a subject has at work is counted before each run is stored.
CREATE INDEX runs_unfinished_of_subject ON runs (subject, status) WHERE finished_at IS NULL;
