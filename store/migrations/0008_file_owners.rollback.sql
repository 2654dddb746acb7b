DROP INDEX files_unused_of_owner;
