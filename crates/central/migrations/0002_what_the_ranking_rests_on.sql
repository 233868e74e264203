-- From what sources say to the ranking: readings, chains, history, rejections, health.

-- A coin's price, as all its sources together give it.
ALTER TABLE coins
    ADD price_usd     double precision CHECK (price_usd > 0 AND price_usd < 'infinity'),
    ADD price_margin  double precision CHECK (price_margin >= 0 AND price_margin <= 1),
    ADD price_at      timestamptz,
    ADD price_sources text[] NOT NULL DEFAULT '{}';

-- One row for each algorithm of a coin's chain. Names of algorithms are the catalog's,
-- of which the domain `algorithm` is the part that farms can mine.
CREATE TABLE chains (
    coin               text NOT NULL REFERENCES coins (id) ON DELETE CASCADE,
    algorithm          text NOT NULL,
    -- As the node reports it, where it could be used.
    difficulty         double precision,
    hashes_per_block   double precision NOT NULL CHECK (hashes_per_block > 0),
    -- Hashes per second, for display: hashes_per_block over the chain's block time.
    network_hashrate   double precision NOT NULL CHECK (network_hashrate > 0),
    -- Coins a block pays the miner.
    subsidy            double precision NOT NULL CHECK (subsidy >= 0),
    fees               double precision NOT NULL CHECK (fees >= 0),
    height             bigint,
    -- Coins for one hash per second kept up for a day, before any pool.
    coins_per_hash_day double precision NOT NULL CHECK (coins_per_hash_day > 0),
    margin             double precision NOT NULL CHECK (margin >= 0 AND margin <= 1),
    work_source        text NOT NULL,
    reward_source      text NOT NULL,
    -- Of the older one of both.
    observed_at        timestamptz NOT NULL,
    PRIMARY KEY (coin, algorithm)
);

ALTER TABLE pool_offers
    -- Chains that a pool mines along with the coin, and pays.
    ADD merged text[] NOT NULL DEFAULT '{}',
    -- 'import' or 'sources' (the aggregator's configuration): who may remove the row.
    ADD origin text NOT NULL DEFAULT 'import' CHECK (origin IN ('import', 'sources'));

ALTER TABLE profitability
    -- 'import' or 'sources': who may replace or remove the row.
    ADD origin text NOT NULL DEFAULT 'import' CHECK (origin IN ('import', 'sources')),
    -- Before the pool's scheme, fee, stale and orphan shares; absent in imported rows.
    -- usd_per_hash_day beside it is after the scheme and orphans, before the fee.
    ADD gross_usd_per_hash_day double precision,
    -- Coins of the main chain after everything, fee included; absent in imported rows.
    ADD net_coins_per_hash_day double precision;

CREATE TABLE profitability_history (
    at               timestamptz NOT NULL,
    coin             text NOT NULL,
    pool             text NOT NULL,
    algorithm        algorithm NOT NULL,
    usd_per_hash_day double precision NOT NULL,
    -- After the fee of that time.
    net_usd_per_hash_day double precision NOT NULL,
    margin           double precision NOT NULL,
    PRIMARY KEY (coin, pool, algorithm, at)
) PARTITION BY RANGE (at);

-- Kept when the partitions of its hours are dropped.
CREATE TABLE profitability_hourly (
    hour             timestamptz NOT NULL,
    coin             text NOT NULL,
    pool             text NOT NULL,
    algorithm        algorithm NOT NULL,
    samples          integer NOT NULL,
    net_usd_sum      double precision NOT NULL,
    net_usd_min      double precision NOT NULL,
    net_usd_max      double precision NOT NULL,
    net_usd_last     double precision NOT NULL,
    PRIMARY KEY (coin, pool, algorithm, hour)
);
CREATE INDEX profitability_hourly_by_hour ON profitability_hourly (hour);

-- The last good answer to each question: what a new leader goes on from.
CREATE TABLE readings (
    source       text NOT NULL,
    kind         text NOT NULL,
    about        text NOT NULL,
    received_at  timestamptz NOT NULL,
    observations text NOT NULL,
    PRIMARY KEY (source, kind, about)
);

CREATE TABLE source_health (
    source       text PRIMARY KEY,
    -- ok, failing, waiting (told to), stopped (banned, quota gone), no-key, silent (not asked yet)
    state        text NOT NULL CHECK (state IN ('ok', 'failing', 'waiting', 'stopped', 'no-key', 'silent')),
    -- In words, for a person.
    detail       text NOT NULL DEFAULT '',
    answers      bigint NOT NULL DEFAULT 0,
    failures     bigint NOT NULL DEFAULT 0,
    -- Of the last round.
    observations integer NOT NULL DEFAULT 0,
    unmapped     integer NOT NULL DEFAULT 0,
    last_ok_at    timestamptz,
    last_error_at timestamptz,
    last_error    text,
    updated_at    timestamptz NOT NULL
);

-- A value that was not used, and why. The same rejection repeated within a day is one row.
CREATE TABLE rejections (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day       date NOT NULL,
    source    text NOT NULL,
    coin      text NOT NULL DEFAULT '',
    algorithm text NOT NULL DEFAULT '',
    pool      text NOT NULL DEFAULT '',
    fact      text NOT NULL,
    rule      text NOT NULL,
    value     text NOT NULL,
    detail    text NOT NULL,
    first_at  timestamptz NOT NULL,
    last_at   timestamptz NOT NULL,
    times     integer NOT NULL DEFAULT 1,
    UNIQUE (day, source, coin, algorithm, pool, fact, rule)
);
CREATE INDEX rejections_by_time ON rejections (last_at);

-- What markets and pools advertise or say they paid. Never part of a coin's revenue.
CREATE TABLE advertised (
    source    text NOT NULL,
    place     text NOT NULL,
    coin      text NOT NULL DEFAULT '',
    algorithm text NOT NULL,
    fact      text NOT NULL,
    value     double precision NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (source, place, coin, algorithm, fact)
);

CREATE INDEX snapshots_by_time ON snapshots (created_at);
