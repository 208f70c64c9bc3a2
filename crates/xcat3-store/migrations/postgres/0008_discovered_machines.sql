-- The table has the name that its rows have everywhere else.

ALTER TABLE strangers RENAME TO discovered_machines;
DROP INDEX strangers_by_last_ms;
CREATE INDEX discovered_machines_by_last_ms ON discovered_machines (last_ms);
