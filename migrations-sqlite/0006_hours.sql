-- Share totals that are cheap to write and go back a year: by pool for each minute and
-- each hour, by worker for each hour. What was kept before is folded in.

CREATE TABLE share_minutes (
    minute              INTEGER NOT NULL, -- unix seconds at which the minute starts
    algorithm           TEXT    NOT NULL,
    pool                TEXT    NOT NULL,
    accepted            INTEGER NOT NULL,
    local               INTEGER NOT NULL,
    rejected            INTEGER NOT NULL,
    stale               INTEGER NOT NULL,
    unknown             INTEGER NOT NULL,
    lost                INTEGER NOT NULL,
    refused_here        INTEGER NOT NULL,
    difficulty_accepted REAL    NOT NULL,
    work                REAL    NOT NULL,
    usd                 REAL, -- what the accepted work was worth by the ranking of its time; NULL: the pool had no price
    PRIMARY KEY (minute, algorithm, pool)
) STRICT, WITHOUT ROWID;

INSERT INTO share_minutes
    SELECT minute, algorithm, pool, sum(accepted), sum(local), sum(rejected), sum(stale), sum(unknown),
           sum(lost), sum(refused_here), sum(difficulty_accepted), sum(work), NULL
    FROM share_totals GROUP BY minute, algorithm, pool;

CREATE TABLE share_hours (
    hour                INTEGER NOT NULL, -- unix seconds at which the hour starts
    algorithm           TEXT    NOT NULL,
    pool                TEXT    NOT NULL,
    accepted            INTEGER NOT NULL,
    local               INTEGER NOT NULL,
    rejected            INTEGER NOT NULL,
    stale               INTEGER NOT NULL,
    unknown             INTEGER NOT NULL,
    lost                INTEGER NOT NULL,
    refused_here        INTEGER NOT NULL,
    difficulty_accepted REAL    NOT NULL,
    work                REAL    NOT NULL,
    usd                 REAL,
    PRIMARY KEY (hour, algorithm, pool)
) STRICT, WITHOUT ROWID;

INSERT INTO share_hours
    SELECT minute / 3600 * 3600 AS hour, algorithm, pool, sum(accepted), sum(local), sum(rejected),
           sum(stale), sum(unknown), sum(lost), sum(refused_here), sum(difficulty_accepted), sum(work), NULL
    FROM share_minutes GROUP BY hour, algorithm, pool;

-- Written once an hour is over. Shares of no worker, and those whose names were lost with
-- the power, stand in the tables above alone.
CREATE TABLE worker_hours (
    hour                INTEGER NOT NULL,
    algorithm           TEXT    NOT NULL,
    worker              TEXT    NOT NULL,
    accepted            INTEGER NOT NULL,
    local               INTEGER NOT NULL,
    rejected            INTEGER NOT NULL,
    stale               INTEGER NOT NULL,
    unknown             INTEGER NOT NULL,
    lost                INTEGER NOT NULL,
    refused_here        INTEGER NOT NULL,
    difficulty_accepted REAL    NOT NULL,
    work                REAL    NOT NULL,
    PRIMARY KEY (hour, algorithm, worker)
) STRICT, WITHOUT ROWID;

INSERT INTO worker_hours
    SELECT minute / 3600 * 3600 AS hour, algorithm, worker, sum(accepted), sum(local), sum(rejected),
           sum(stale), sum(unknown), sum(lost), sum(refused_here), sum(difficulty_accepted), sum(work)
    FROM share_totals WHERE worker > '' GROUP BY hour, algorithm, worker;

DROP TABLE share_totals;
ALTER TABLE share_minutes RENAME TO share_totals;

-- Miners that were connected: counted once a minute, summed up over ten.
CREATE TABLE miner_counts (
    at        INTEGER NOT NULL, -- unix seconds at which the ten minutes start
    algorithm TEXT    NOT NULL,
    miners    INTEGER NOT NULL, -- the sum of the counts
    counts    INTEGER NOT NULL, -- how many there were
    PRIMARY KEY (at, algorithm)
) STRICT, WITHOUT ROWID;

-- Each time that the appliance ran.
CREATE TABLE runs (
    id         INTEGER PRIMARY KEY,
    boot       TEXT    NOT NULL, -- the kernel's own name of this boot: tells a power cut from a crash
    started_at INTEGER NOT NULL, -- by the newest clock: it is put right when the clock was
    seen_at    INTEGER NOT NULL, -- the last sign of life
    clean      INTEGER NOT NULL, -- 1: it was stopped, and everything was written
    generation INTEGER NOT NULL  -- how often its books were written
) STRICT;
