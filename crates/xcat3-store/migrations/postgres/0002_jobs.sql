-- That of SQLite, with texts compared byte by byte.

-- Jobs without a row a node at their beginning. Jobs are short-lived, so those of an older xcat3 are
-- dropped rather than carried over.

DROP TABLE job_nodes;
DROP TABLE batches;
DROP TABLE jobs;

INSERT INTO counters (name, value) VALUES ('job', 0);

-- A job is known by its id outside and by its number, which grows, in the other tables.
CREATE TABLE jobs (
    number        BIGINT PRIMARY KEY,
    id            TEXT COLLATE "C" NOT NULL UNIQUE,
    operation     TEXT COLLATE "C" NOT NULL,
    state         TEXT COLLATE "C" NOT NULL,
    nodes         BIGINT NOT NULL,
    done          BIGINT NOT NULL,
    failed        BIGINT NOT NULL,
    left_alone    BIGINT NOT NULL,
    last_sequence BIGINT NOT NULL,
    -- Nodes at once, and how many may fail before the rest is left alone.
    wave          BIGINT,
    max_failures  BIGINT,
    -- Batches of waves up to this one may begin.
    open_wave     BIGINT NOT NULL,
    -- Idempotency-Key of the request.
    request_key   TEXT COLLATE "C" UNIQUE,
    created_ms    BIGINT NOT NULL,
    finished_ms   BIGINT
);
CREATE INDEX jobs_by_finish ON jobs (finished_ms);

-- names: [["n1"],["n2"],…]. state: 0 waits, 1 begun, 2 finished.
CREATE TABLE batches (
    job    BIGINT NOT NULL,
    number BIGINT NOT NULL,
    wave   BIGINT NOT NULL,
    state  BIGINT NOT NULL,
    names  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (job, number)
);
CREATE INDEX batches_unfinished ON batches (job, wave, number) WHERE state < 2;

-- What came of a node; there is no row before that. kind: 0 failed, 1 done, 2 left alone.
CREATE TABLE job_nodes (
    job      BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    node     TEXT COLLATE "C" NOT NULL,
    kind     BIGINT NOT NULL,
    answer   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (job, sequence)
);
CREATE UNIQUE INDEX job_nodes_by_node ON job_nodes (job, node);

CREATE FUNCTION remove_what_jobs_had() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM batches USING gone WHERE batches.job = gone.number;
    DELETE FROM job_nodes USING gone WHERE job_nodes.job = gone.number;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_removed AFTER DELETE ON jobs REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION remove_what_jobs_had();
