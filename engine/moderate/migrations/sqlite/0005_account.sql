-- Who may sign in: an argon2 hash each, and the failures since the last success.
CREATE TABLE account (
    name      TEXT PRIMARY KEY,
    secret    TEXT NOT NULL,
    lead      INTEGER NOT NULL,
    failures  INTEGER NOT NULL DEFAULT 0,
    failed_at INTEGER NOT NULL DEFAULT 0
) STRICT;
