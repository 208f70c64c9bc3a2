-- Credentials that BMCs rejected: accounts lock out, so no process tries them again.

CREATE TABLE bmc_rejections (
    host   TEXT NOT NULL,
    login  BIGINT NOT NULL,
    reason TEXT NOT NULL,
    at_ms  BIGINT NOT NULL,
    PRIMARY KEY (host, login)
);
CREATE INDEX bmc_rejections_by_at_ms ON bmc_rejections (at_ms);
