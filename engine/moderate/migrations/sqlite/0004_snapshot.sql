-- The folded state as of one event, so that opening need not read the whole log. Can be dropped at any time.
CREATE TABLE snapshot (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    version  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    hash     TEXT NOT NULL,
    digest   TEXT NOT NULL,
    bytes    BLOB NOT NULL
) STRICT;
