-- Services report worker by worker. What they reported before says nothing of that and comes again
-- with their next heartbeats.

DROP TABLE services;

CREATE TABLE services (
    hostname TEXT COLLATE "C" NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL,
    worker   BIGINT NOT NULL,
    instance TEXT COLLATE "C" NOT NULL,
    workers  BIGINT NOT NULL,
    seen_ms  BIGINT NOT NULL,
    served   BIGINT,
    note     TEXT COLLATE "C",
    PRIMARY KEY (hostname, kind, worker)
);

-- names counts the changes of the set of nodes' names; up to the revision forgotten tombstones may be
-- gone.
INSERT INTO counters (name, value) VALUES ('names', 0), ('forgotten', 0);

ALTER TABLE tombstones ADD COLUMN buried_ms BIGINT NOT NULL DEFAULT 0;
