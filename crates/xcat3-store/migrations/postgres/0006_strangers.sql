-- Machines that boot over the network without being known, each by the nic that it asked with.

CREATE TABLE strangers (
    mac          TEXT COLLATE "C" PRIMARY KEY,
    network      TEXT COLLATE "C" NOT NULL,
    ip           TEXT COLLATE "C",
    vendor_class TEXT COLLATE "C",
    architecture BIGINT,
    uuid         TEXT COLLATE "C",
    first_ms     BIGINT NOT NULL,
    last_ms      BIGINT NOT NULL
);
CREATE INDEX strangers_by_last_ms ON strangers (last_ms);
