-- The log, one row an event. The text is what was hashed, byte for byte.
CREATE TABLE entry (
    seq  INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
