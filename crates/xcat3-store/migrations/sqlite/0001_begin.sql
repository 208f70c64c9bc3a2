-- Times are milliseconds since 1970 (UTC); columns named *_info, extra, content, nameservers,
-- ntpservers, dynamic_range and operation hold JSON as text; truth values are 0 and 1.
-- A row's revision is that of the transaction which wrote it last: what the change feed reads.

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('revision', 0), ('fence', 0);

-- What was removed, so that the change feed can tell of it.
CREATE TABLE tombstones (
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE INDEX tombstones_by_revision ON tombstones (revision);

CREATE TABLE nodes (
    name         TEXT PRIMARY KEY,
    mgt          TEXT,
    netboot      TEXT,
    arch         TEXT,
    kind         TEXT,
    control_info TEXT NOT NULL,
    console_info TEXT NOT NULL,
    state        TEXT,
    failure      TEXT,
    osimage      TEXT,
    conductor    TEXT,
    deploy_token TEXT,
    revision     BIGINT NOT NULL
);
CREATE INDEX nodes_by_revision ON nodes (revision);
CREATE INDEX nodes_by_osimage ON nodes (osimage);
CREATE INDEX nodes_by_state ON nodes (state);

CREATE TABLE nics (
    uuid       TEXT PRIMARY KEY,
    mac        TEXT NOT NULL UNIQUE,
    name       TEXT,
    ip         TEXT,
    netmask    TEXT,
    is_primary BIGINT NOT NULL,
    extra      TEXT NOT NULL,
    node       TEXT REFERENCES nodes (name) ON DELETE CASCADE,
    position   BIGINT NOT NULL
);
CREATE INDEX nics_by_node ON nics (node, position);

CREATE TABLE networks (
    name          TEXT PRIMARY KEY,
    subnet        TEXT NOT NULL,
    gateway       TEXT,
    nameservers   TEXT NOT NULL,
    ntpservers    TEXT NOT NULL,
    domain        TEXT,
    dynamic_range TEXT NOT NULL,
    dhcpserver    TEXT,
    extra         TEXT NOT NULL,
    revision      BIGINT NOT NULL
);

CREATE TABLE osimages (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    distro     TEXT NOT NULL,
    ver        TEXT NOT NULL,
    arch       TEXT NOT NULL,
    profile    TEXT,
    provmethod TEXT,
    rootfstype TEXT,
    orig_name  TEXT,
    content    TEXT,
    revision   BIGINT NOT NULL
);

CREATE TABLE passwds (
    key          TEXT PRIMARY KEY,
    username     TEXT,
    password     TEXT,
    crypt_method TEXT,
    revision     BIGINT NOT NULL
);

CREATE TABLE services (
    hostname TEXT NOT NULL,
    kind     TEXT NOT NULL,
    instance TEXT NOT NULL,
    workers  BIGINT NOT NULL,
    seen_ms  BIGINT NOT NULL,
    served   BIGINT,
    note     TEXT,
    PRIMARY KEY (hostname, kind)
);

CREATE TABLE jobs (
    id            TEXT PRIMARY KEY,
    operation     TEXT NOT NULL,
    nodes         BIGINT NOT NULL,
    unanswered    BIGINT NOT NULL,
    last_sequence BIGINT NOT NULL,
    created_ms    BIGINT NOT NULL,
    finished_ms   BIGINT
);
CREATE INDEX jobs_by_finish ON jobs (finished_ms);

CREATE TABLE batches (
    job      TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number   BIGINT NOT NULL,
    finished BIGINT NOT NULL,
    PRIMARY KEY (job, number)
);
CREATE INDEX batches_unfinished ON batches (job, number) WHERE finished = 0;

-- One row a node of a job; its answer stands in it from the moment that it has a sequence number.
CREATE TABLE job_nodes (
    job      TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    node     TEXT NOT NULL,
    batch    BIGINT,
    place    BIGINT NOT NULL,
    sequence BIGINT,
    done     BIGINT,
    answer   TEXT,
    PRIMARY KEY (job, node)
);
CREATE INDEX job_nodes_by_batch ON job_nodes (job, batch, place);
CREATE INDEX job_nodes_by_sequence ON job_nodes (job, sequence);

CREATE TABLE reservations (
    node       TEXT PRIMARY KEY REFERENCES nodes (name) ON DELETE CASCADE,
    fence      BIGINT NOT NULL,
    owner      TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX reservations_by_fence ON reservations (fence);

CREATE TABLE progress (
    node       TEXT PRIMARY KEY REFERENCES nodes (name) ON DELETE CASCADE,
    phase      TEXT NOT NULL,
    detail     TEXT NOT NULL,
    since_ms   BIGINT NOT NULL,
    seen_ms    BIGINT NOT NULL,
    started_ms BIGINT NOT NULL,
    -- Of the reservation under which the deploy was begun.
    purpose    TEXT NOT NULL
);

CREATE TABLE leases (
    ip         TEXT PRIMARY KEY,
    mac        TEXT NOT NULL,
    network    TEXT NOT NULL,
    expires_ms BIGINT NOT NULL,
    hostname   TEXT,
    client_id  TEXT
);
CREATE INDEX leases_by_mac ON leases (mac, network);
CREATE INDEX leases_by_expiry ON leases (expires_ms);
