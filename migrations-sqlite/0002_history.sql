-- What happened on the farm: what was earned, which way was taken, what was seen.

-- One row a minute, worker and pool; counts of the same minute are added up.
CREATE TABLE share_totals (
    minute              INTEGER NOT NULL, -- unix seconds at which the minute starts
    algorithm           TEXT    NOT NULL,
    worker              TEXT    NOT NULL,
    pool                TEXT    NOT NULL,
    accepted            INTEGER NOT NULL,
    rejected            INTEGER NOT NULL,
    stale               INTEGER NOT NULL,
    unknown             INTEGER NOT NULL, -- sent, but the verdict never came
    lost                INTEGER NOT NULL, -- never sent: no pool could take it
    difficulty_accepted REAL    NOT NULL,
    PRIMARY KEY (minute, algorithm, worker, pool)
) STRICT, WITHOUT ROWID;

-- Every choice of a route with its numbers: "why this pool".
CREATE TABLE decisions (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    algorithm TEXT    NOT NULL,
    from_pool TEXT,
    to_pool   TEXT,
    coin      TEXT,
    rule      TEXT    NOT NULL,
    text      TEXT    NOT NULL,
    detail    TEXT    NOT NULL -- JSON
) STRICT;

CREATE TABLE events (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    code    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    text    TEXT    NOT NULL
) STRICT;
