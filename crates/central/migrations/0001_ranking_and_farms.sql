-- What the ranking is computed from, what was published, and who may read it.
-- Append-only: a change is a new file, never an edit of one that was released.

-- The names of the wire contract; a new algorithm is a migration that alters this domain.
CREATE DOMAIN algorithm AS text CHECK (VALUE IN
    ('sha256d', 'scrypt', 'etchash', 'kawpow', 'randomx', 'kheavyhash', 'equihash'));

CREATE TABLE coins (
    id         text PRIMARY KEY CHECK (id ~ '^[A-Z0-9._-]{1,63}$'),
    name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE pools (
    id         text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9._-]{1,63}$'),
    name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Pools listen at another address, and often take another fee, for each coin.
CREATE TABLE pool_offers (
    coin       text NOT NULL REFERENCES coins (id) ON DELETE CASCADE,
    pool       text NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    algorithm  algorithm NOT NULL,
    url        text NOT NULL CHECK (url ~ '^stratum\+(tcp|ssl)://[^[:space:]]+$' AND octet_length(url) <= 300),
    fee        double precision NOT NULL CHECK (fee >= 0 AND fee < 1),
    scheme     text NOT NULL CHECK (scheme ~ '^[A-Z0-9+_-]{1,15}$'),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (coin, pool, algorithm)
);

CREATE TABLE profitability (
    coin             text NOT NULL,
    pool             text NOT NULL,
    algorithm        algorithm NOT NULL,
    -- Before the pool's fee. NaN sorts above infinity, so one comparison refuses both.
    usd_per_hash_day double precision NOT NULL
                     CHECK (usd_per_hash_day > 0 AND usd_per_hash_day < 'infinity'),
    margin           double precision NOT NULL CHECK (margin >= 0 AND margin <= 1),
    computed_at      timestamptz NOT NULL,
    PRIMARY KEY (coin, pool, algorithm),
    FOREIGN KEY (coin, pool, algorithm) REFERENCES pool_offers ON DELETE CASCADE
);

CREATE TABLE snapshots (
    sequence   bigint PRIMARY KEY CHECK (sequence > 0),
    created_at timestamptz NOT NULL,
    -- The envelope's JSON exactly as it is served.
    envelope   text NOT NULL CHECK (octet_length(envelope) BETWEEN 2 AND 1048576)
);

CREATE TABLE farms (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._-]{1,63}$'),
    token_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(token_sha256) = 32),
    enrolled_at  timestamptz NOT NULL DEFAULT now(),
    rotated_at   timestamptz,
    disabled     boolean NOT NULL DEFAULT false
);
