DROP TABLE memberships;
DROP TABLE workspaces;
DROP TABLE cookies;
DROP TABLE accounts;
