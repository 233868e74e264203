-- Rows from before have 0 here: it was not counted then.
ALTER TABLE share_totals ADD COLUMN local        INTEGER NOT NULL DEFAULT 0; -- good for the miner, below the pool's difficulty
ALTER TABLE share_totals ADD COLUMN refused_here INTEGER NOT NULL DEFAULT 0; -- of rejected and stale, those the appliance said itself
ALTER TABLE share_totals ADD COLUMN work         REAL    NOT NULL DEFAULT 0; -- difficulty of all that was done; difficulty_accepted is what is paid for

-- From here on a row without a worker has the shares of its minute and pool that
-- stand under no worker: those of the minute that runs, those of a minute that
-- ended with the power, and those whose names made way for newer ones.
