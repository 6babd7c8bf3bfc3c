-- What disagreement was expected on a case: for everybody on the team once the case is over, and for those who vote on
-- it not before. The log no longer has the number; it follows from the predictions, which only those who lead may read.
ALTER TABLE plumb.prediction ADD COLUMN over boolean NOT NULL DEFAULT false;

UPDATE plumb.prediction SET over = true FROM (
    SELECT DISTINCT ON (id) id, kind
    FROM (SELECT seq, what ->> 'case' AS id, what ->> 'kind' AS kind
          FROM (SELECT seq, plumb.look(text) -> 'what' AS what FROM plumb.entry) AS event) AS step
    WHERE kind IN ('decided', 'applied', 'undone', 'scored', 'panel_opened', 'appealed')
    ORDER BY id, seq DESC
) AS newest
WHERE newest.id = prediction.case_id AND newest.kind IN ('decided', 'applied');

-- A panel that still votes is looked for at every decision; there are few of them.
CREATE INDEX hidden ON plumb.panel (id) WHERE hidden;

CREATE FUNCTION plumb.mark_over() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what json := plumb.look(NEW.text) -> 'what';
BEGIN
    IF what ->> 'kind' IN ('decided', 'undone', 'scored', 'panel_opened', 'appealed') THEN
        -- Whoever claims a decision past the program learns nothing while a panel of that case votes.
        UPDATE plumb.prediction SET over = (what ->> 'kind' = 'decided') AND NOT EXISTS (
            SELECT FROM plumb.panel WHERE hidden AND starts_with(id, case_id || '/')
        ) WHERE case_id = what ->> 'case';
    END IF;
    RETURN NULL;
END $$;
-- Most events are none of these; looking at the text first spares them the call.
CREATE TRIGGER mark_over AFTER INSERT ON plumb.entry FOR EACH ROW
    WHEN (NEW.text ~ '"kind":"(decided|undone|scored|panel_opened|appealed)"')
    EXECUTE FUNCTION plumb.mark_over();

-- The probability that two moderators drawn at random differ.
CREATE FUNCTION plumb.expected(asked text[]) RETURNS TABLE (id text, expected double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT case_id, 2 * ((n - 1) * s1 - s1 * s1 + s2) / (n * (n - 1))
    FROM plumb.prediction, LATERAL (
        SELECT count(*)::double precision AS n, sum(p) AS s1, sum(p * p) AS s2
        FROM (SELECT (one ->> 1)::double precision AS p FROM json_array_elements(plumb.look(text)) AS one) AS each
    ) AS sums
    WHERE case_id = ANY (asked) AND over AND n > 1 AND plumb.standing() IS NOT NULL
$$;
