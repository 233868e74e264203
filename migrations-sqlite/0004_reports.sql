-- What central is told of the farm, and what it has not been told yet.

-- Shares that stand in no report: the transaction that stores a report takes them from here.
CREATE TABLE unreported (
    algorithm TEXT    PRIMARY KEY,
    accepted  INTEGER NOT NULL,
    rejected  INTEGER NOT NULL,
    stale     INTEGER NOT NULL,
    unknown   INTEGER NOT NULL,
    lost      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Nothing was ever written to its first form.
DROP TABLE outbox;
CREATE TABLE outbox (
    position   INTEGER PRIMARY KEY, -- oldest first, whatever the clock said
    id         TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,    -- unix seconds on the appliance's clock
    body       TEXT    NOT NULL,    -- the exact JSON that is sent: central compares it
    refused    TEXT                 -- why central will never take it; NULL while it waits
) STRICT;
