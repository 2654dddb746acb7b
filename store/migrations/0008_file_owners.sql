-- depends: 0005_files
-- What somebody's unused uploads add up to is asked at each upload.
CREATE INDEX files_unused_of_owner ON files (subject) WHERE expires_at IS NOT NULL;
