DROP TABLE tool_providers;
