-- Votes on blind panels, until the panel is shown; and what the model thinks of single moderators, by case.
CREATE TABLE ballot (
    nr        INTEGER PRIMARY KEY,
    panel     TEXT NOT NULL,
    moderator TEXT NOT NULL,
    text      TEXT NOT NULL,
    UNIQUE (panel, moderator)
) STRICT;
CREATE TABLE prediction (
    case_id TEXT PRIMARY KEY,
    text    TEXT NOT NULL
) STRICT;
