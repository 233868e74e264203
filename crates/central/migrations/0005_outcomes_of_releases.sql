-- What became of releases at farms, and why a release was halted.

ALTER TABLE releases
    -- Null where it is offered, and where it was halted before this was noted.
    ADD halted_at     timestamptz,
    -- In words, if it was halted for its rollbacks; null if the operator did it.
    ADD halted_reason text CHECK (octet_length(halted_reason) <= 300);

-- The newest outcome of each release at each farm: a farm counts once, however often it tells.
-- A report names no board, and a release is halted on all its boards at once.
CREATE TABLE release_outcomes (
    version     text NOT NULL CHECK (version ~ '^[A-Za-z0-9][A-Za-z0-9.+_-]{0,62}$'),
    farm        bigint NOT NULL REFERENCES farms (id) ON DELETE CASCADE,
    outcome     text NOT NULL CHECK (outcome IN ('kept', 'rolled-back', 'refused')),
    -- The farm's own words.
    reason      text NOT NULL CHECK (reason ~ '^[ -~]*$' AND octet_length(reason) <= 200),
    -- Of the report that tells it: on the farm's clock, but never later than it was received.
    reported_at timestamptz NOT NULL,
    -- When it was first known here that the outcome is this one.
    changed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version, farm)
);
