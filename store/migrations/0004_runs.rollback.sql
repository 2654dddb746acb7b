DROP TABLE audit;
DROP TABLE events;
DROP TABLE runs;
DROP TABLE messages;
DROP TABLE conversations;
