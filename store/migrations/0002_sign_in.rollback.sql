DROP TABLE device_flows;
DROP TABLE sessions;
