-- The log and who is on the team. Everybody on the team reads the log; it grows through plumb.append alone.
CREATE SCHEMA plumb;
GRANT USAGE ON SCHEMA plumb TO PUBLIC;

CREATE TABLE plumb.format (version integer NOT NULL);
INSERT INTO plumb.format VALUES (0);

-- A moderator's name is the name of their database role.
CREATE TABLE plumb.member (
    name text PRIMARY KEY,
    lead boolean NOT NULL
);

CREATE TABLE plumb.head (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    seq      bigint NOT NULL,
    hash     text NOT NULL
);
INSERT INTO plumb.head VALUES (true, 0, 'plumb-moderate');

CREATE TABLE plumb.entry (
    seq        bigint PRIMARY KEY,
    text       text NOT NULL,
    hash       text NOT NULL,
    written_by name NOT NULL DEFAULT session_user,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The log is never changed, not even by its owner.
CREATE FUNCTION plumb.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is never changed' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON plumb.entry
    FOR EACH STATEMENT EXECUTE FUNCTION plumb.keep();

-- 'owner', 'lead', 'moderator', or nothing for a stranger.
CREATE FUNCTION plumb.standing() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN session_user = current_user THEN 'owner'
        ELSE (SELECT CASE WHEN lead THEN 'lead' ELSE 'moderator' END FROM plumb.member WHERE name = session_user)
    END
$$;

CREATE TABLE plumb.model (
    name  text PRIMARY KEY,
    bytes bytea NOT NULL
);
CREATE TABLE plumb.prediction (
    case_id text PRIMARY KEY,
    text    text NOT NULL
);
CREATE TABLE plumb.snapshot (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version  integer NOT NULL,
    seq      bigint NOT NULL,
    hash     text NOT NULL,
    digest   text NOT NULL,
    bytes    bytea NOT NULL
);

-- An event to look into. JSON may say \u0000 and PostgreSQL's text may not hold it, so the look is without.
CREATE FUNCTION plumb.look(text text) RETURNS json LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN position('\u0000' IN text) = 0 THEN text
        ELSE regexp_replace(text, '(?<!\\)((?:\\\\)*)\\u0000', '\1', 'g')
    END::json
$$;
