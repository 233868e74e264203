-- What farms tell of themselves, and the software they are to run.

-- Kept for 30 days; the id is the farm's own, so that one sent twice is stored once.
CREATE TABLE reports (
    farm        bigint NOT NULL REFERENCES farms (id) ON DELETE CASCADE,
    id          text NOT NULL CHECK (id ~ '^[A-Za-z0-9._-]{1,64}$'),
    -- Of the report as it was sent, members sorted: another body under the same id is refused.
    body_sha256 bytea NOT NULL CHECK (octet_length(body_sha256) = 32),
    -- On the farm's clock, which may be wrong.
    created_at  timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    -- The members that the wire contract of this version knows.
    body        jsonb NOT NULL,
    PRIMARY KEY (farm, id)
);
CREATE INDEX reports_by_time ON reports (received_at);

-- One row for each farm that was heard of: the fleet view reads this and never `reports`.
CREATE TABLE farm_state (
    farm         bigint PRIMARY KEY REFERENCES farms (id) ON DELETE CASCADE,
    -- Of any request with its token; written at most once a minute for all farms together.
    last_seen_at timestamptz,
    -- When the newest report was made: on the farm's clock, but never later than it was received.
    reported_at  timestamptz,
    report       jsonb
);

CREATE TABLE releases (
    version        text NOT NULL CHECK (version ~ '^[A-Za-z0-9][A-Za-z0-9.+_-]{0,62}$'),
    board          text NOT NULL CHECK (board ~ '^[A-Za-z0-9][A-Za-z0-9.+_-]{0,62}$'),
    url            text NOT NULL CHECK (url ~ '^https://[!-~]+$' AND octet_length(url) <= 500),
    -- Hexadecimal, as it is shown everywhere.
    sha256         text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size           bigint NOT NULL CHECK (size > 0),
    rollback_index bigint NOT NULL CHECK (rollback_index >= 0),
    notes          text NOT NULL DEFAULT '' CHECK (octet_length(notes) <= 2000),
    -- Of the farms; which ones is a function of farm and version, so a growing wave only adds.
    wave_percent   integer NOT NULL CHECK (wave_percent BETWEEN 0 AND 100),
    halted         boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version, board)
);
