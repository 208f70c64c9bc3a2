-- Machines that boot over the network without being known, each by the nic that it asked with.

CREATE TABLE strangers (
    mac          TEXT PRIMARY KEY,
    network      TEXT NOT NULL,
    ip           TEXT,
    vendor_class TEXT,
    architecture BIGINT,
    uuid         TEXT,
    first_ms     BIGINT NOT NULL,
    last_ms      BIGINT NOT NULL
);
CREATE INDEX strangers_by_last_ms ON strangers (last_ms);
