-- Who is signed in at the fleet page, and what the farms run on.

-- A browser that the operator signed in with. Any replica can look it up.
CREATE TABLE operator_sessions (
    -- Of the cookie's secret together with the operator's token: another token ends them all.
    sha256     bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

ALTER TABLE farm_state
    -- As the farm named it when it last asked for its release; null if it never asked.
    ADD board text CHECK (board ~ '^[A-Za-z0-9][A-Za-z0-9.+_-]{0,62}$');
