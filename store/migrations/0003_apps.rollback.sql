DROP TABLE app_grants;
DROP TABLE app_tags;
DROP TABLE versions;
DROP TABLE apps;
