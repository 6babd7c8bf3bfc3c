-- Blind panels: who sits on them, and the votes that nobody else may see yet.

-- As much of the log as is needed to know who may vote and when votes may be seen.
CREATE TABLE plumb.panel (
    id       text PRIMARY KEY,
    members  text[] NOT NULL,
    shadow   text[] NOT NULL,
    deadline bigint NOT NULL,
    hidden   boolean NOT NULL
);
CREATE TABLE plumb.policy (
    only_one      boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    show_progress boolean NOT NULL
);
INSERT INTO plumb.policy VALUES (true, true);

CREATE TABLE plumb.ballot (
    nr        bigint GENERATED ALWAYS AS IDENTITY,
    panel     text NOT NULL REFERENCES plumb.panel (id),
    moderator text NOT NULL,
    ballot    text NOT NULL,
    key       text NOT NULL,
    digest    text NOT NULL,
    cast_at   bigint NOT NULL,
    PRIMARY KEY (panel, moderator)
);

-- Whether a panel waits for no more votes: from then on its ballots may be read.
CREATE FUNCTION plumb.ready(asked text) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT hidden
        OR deadline <= extract(epoch FROM clock_timestamp())
        OR members <@ ARRAY(SELECT moderator FROM plumb.ballot WHERE ballot.panel = asked)
    FROM plumb.panel WHERE id = asked
$$;

-- How many members have voted, where the policy shows that.
CREATE FUNCTION plumb.progress(asked text) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT (SELECT count(*) FROM plumb.ballot WHERE ballot.panel = asked AND moderator = ANY (members))
    FROM plumb.panel, plumb.policy
    WHERE id = asked AND show_progress AND plumb.standing() IS NOT NULL
$$;

-- Whether somebody has voted: oneself, or anybody for those who lead, who need it to free seats.
CREATE FUNCTION plumb.voted(asked text, who text) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM plumb.ballot WHERE ballot.panel = asked AND moderator = who)
    WHERE who = session_user OR plumb.standing() IN ('owner', 'lead')
$$;

-- Cast a vote on a blind panel.
CREATE FUNCTION plumb.vote(asked text, given text, command text, mark text, at bigint) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seat  plumb.panel;
    known plumb.ballot;
BEGIN
    IF plumb.standing() IS NULL THEN
        RAISE EXCEPTION 'you are not on this team' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- The lock makes votes, recusals and the end of one panel wait for each other.
    SELECT * INTO seat FROM plumb.panel WHERE id = asked FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'moved';
    END IF;
    SELECT * INTO known FROM plumb.ballot WHERE ballot.panel = asked AND moderator = session_user;
    IF FOUND THEN
        RETURN CASE WHEN known.key = command AND known.digest = mark THEN 'repeated' ELSE 'taken' END;
    END IF;
    IF plumb.ready(asked) OR NOT session_user = ANY (seat.members || seat.shadow) THEN
        RETURN 'moved';
    END IF;
    IF (given::jsonb ->> 'choice') NOT IN ('approve', 'remove', 'abstain', 'escalate')
        OR (given::jsonb ->> 'confidence')::integer NOT BETWEEN 1 AND 5
        OR given::jsonb ->> 'rationale' IS NULL
    THEN
        RAISE EXCEPTION 'this is not a vote' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO plumb.ballot (panel, moderator, ballot, key, digest, cast_at)
        VALUES (asked, session_user, given, command, mark, at);
    IF plumb.ready(asked) THEN
        PERFORM pg_notify('plumb', 'ready');
        RETURN 'last';
    END IF;
    IF (SELECT show_progress FROM plumb.policy) THEN
        PERFORM pg_notify('plumb', 'vote');
    END IF;
    RETURN 'kept';
END $$;

-- Take over from one event what the tables above need. Says no to what would free or show votes too early.
CREATE FUNCTION plumb.follow(what json, actor text, command text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind text := what ->> 'kind';
    seat plumb.panel;
BEGIN
    IF kind = 'policy_set' THEN
        UPDATE plumb.policy SET show_progress = coalesce((what -> 'policy' ->> 'show_progress')::boolean, true);
    ELSIF kind = 'panel_opened' THEN
        INSERT INTO plumb.panel VALUES (
            what ->> 'panel',
            ARRAY(SELECT json_array_elements_text(what -> 'members')),
            ARRAY(SELECT json_array_elements_text(what -> 'shadow')),
            (what ->> 'deadline')::bigint,
            (what ->> 'blind')::boolean
        );
    END IF;
    IF kind NOT IN ('voted', 'recused', 'revealed', 'escalated', 'decided') OR what ->> 'panel' IS NULL THEN
        RETURN true;
    END IF;
    SELECT * INTO STRICT seat FROM plumb.panel WHERE id = what ->> 'panel' FOR UPDATE;
    IF kind = 'voted' THEN
        IF seat.hidden THEN
            RETURN plumb.ready(seat.id) AND EXISTS (
                SELECT FROM plumb.ballot b
                WHERE b.panel = seat.id AND b.moderator = what ->> 'moderator' AND b.key = command
                    AND b.ballot::jsonb = (what -> 'ballot')::jsonb
            );
        END IF;
        RETURN what ->> 'moderator' = actor;
    ELSIF kind = 'recused' THEN
        IF seat.hidden AND EXISTS (
            SELECT FROM plumb.ballot b WHERE b.panel = seat.id AND b.moderator = what ->> 'moderator'
        ) THEN
            RETURN false;
        END IF;
        IF what ->> 'moderator' <> session_user AND plumb.standing() = 'moderator' THEN
            RAISE EXCEPTION 'nobody gives up the seat of another' USING ERRCODE = 'insufficient_privilege';
        END IF;
        UPDATE plumb.panel SET members = CASE
            WHEN what ->> 'replacement' IS NULL THEN array_remove(members, what ->> 'moderator')
            ELSE array_replace(members, what ->> 'moderator', what ->> 'replacement')
        END WHERE id = seat.id;
    ELSE
        IF NOT plumb.ready(seat.id) THEN
            RAISE EXCEPTION 'the panel still waits for votes' USING ERRCODE = 'insufficient_privilege';
        END IF;
        UPDATE plumb.panel SET hidden = false WHERE id = seat.id;
    END IF;
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION plumb.follow FROM PUBLIC;

-- Append to the log if it still ends where the caller thinks: all entries or none. The chain is checked here, and that
-- nobody writes under another's name.
CREATE FUNCTION plumb.append(after_seq bigint, after_hash text, texts text[], hashes text[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rank   text := plumb.standing();
    number bigint := after_seq;
    before text := after_hash;
    entry  record;
    event  json;
    what   json;
    actor  text;
BEGIN
    IF rank IS NULL THEN
        RAISE EXCEPTION 'you are not on this team' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- The one who comes second waits here, and finds that the end has moved.
    PERFORM FROM plumb.head WHERE seq = after_seq AND hash = after_hash FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    FOR entry IN SELECT * FROM unnest(texts, hashes) AS given (text, hash) LOOP
        number := number + 1;
        event := plumb.look(entry.text);
        what := event -> 'what';
        actor := event ->> 'actor';
        IF (event ->> 'seq')::bigint <> number OR entry.hash <> encode(
            sha256(convert_to(before, 'UTF8') || '\x00'::bytea || convert_to(entry.text, 'UTF8')), 'hex'
        ) THEN
            RAISE EXCEPTION 'entry % does not follow from the one before it', number;
        END IF;
        IF rank = 'moderator' AND actor <> session_user AND what ->> 'kind' <> 'voted' THEN
            RAISE EXCEPTION 'nobody acts under the name of another' USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF rank = 'moderator' AND what ->> 'kind' IN (
            'policy_set', 'moderator_set', 'case_arrived', 'reported', 'decision_logged', 'scored', 'routed_solo'
        ) THEN
            RAISE EXCEPTION 'only those who lead the team may do this' USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF NOT plumb.follow(what, actor, event ->> 'key') THEN
            -- Somebody voted in the meantime: nothing of this is written.
            RAISE EXCEPTION 'moved' USING ERRCODE = 'PL001';
        END IF;
        INSERT INTO plumb.entry (seq, text, hash) VALUES (number, entry.text, entry.hash);
        before := entry.hash;
    END LOOP;
    UPDATE plumb.head SET seq = number, hash = before;
    PERFORM pg_notify('plumb', number::text);
    RETURN true;
EXCEPTION WHEN SQLSTATE 'PL001' THEN
    RETURN false;
END $$;
