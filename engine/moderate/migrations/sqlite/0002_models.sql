-- Trained models by name.
CREATE TABLE model (
    name  TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
