-- Rankings as central signed them: the exact text, so that the signature can be
-- checked again after a restart.
PRAGMA application_id = 1397573966; -- "SMIN": tells our file from another program's

CREATE TABLE snapshots (
    sequence    INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL, -- unix seconds
    envelope    TEXT    NOT NULL
) STRICT;
