ALTER TABLE runs DROP COLUMN resumed_after;
ALTER TABLE runs DROP COLUMN attempts;
ALTER TABLE runs DROP COLUMN lease_until;
ALTER TABLE runs DROP COLUMN worker;
DROP TABLE checkpoints;
DROP TABLE forms;
