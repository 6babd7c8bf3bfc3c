-- Who reads and writes what. Tables are written through the functions, except what those who lead keep there.
ALTER TABLE plumb.member ENABLE ROW LEVEL SECURITY;
ALTER TABLE plumb.head ENABLE ROW LEVEL SECURITY;
ALTER TABLE plumb.entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE plumb.panel ENABLE ROW LEVEL SECURITY;
ALTER TABLE plumb.policy ENABLE ROW LEVEL SECURITY;
ALTER TABLE plumb.ballot ENABLE ROW LEVEL SECURITY;
ALTER TABLE plumb.model ENABLE ROW LEVEL SECURITY;
ALTER TABLE plumb.prediction ENABLE ROW LEVEL SECURITY;
ALTER TABLE plumb.snapshot ENABLE ROW LEVEL SECURITY;

GRANT SELECT ON plumb.format TO PUBLIC;
GRANT SELECT ON plumb.member, plumb.head, plumb.entry, plumb.panel, plumb.policy, plumb.ballot TO PUBLIC;
GRANT SELECT, INSERT, UPDATE ON plumb.model, plumb.prediction, plumb.snapshot TO PUBLIC;

CREATE POLICY team ON plumb.member FOR SELECT USING ((SELECT plumb.standing()) IS NOT NULL);
CREATE POLICY team ON plumb.head FOR SELECT USING ((SELECT plumb.standing()) IS NOT NULL);
CREATE POLICY team ON plumb.entry FOR SELECT USING ((SELECT plumb.standing()) IS NOT NULL);
CREATE POLICY team ON plumb.panel FOR SELECT USING ((SELECT plumb.standing()) IS NOT NULL);
CREATE POLICY team ON plumb.policy FOR SELECT USING ((SELECT plumb.standing()) IS NOT NULL);
CREATE POLICY team ON plumb.snapshot FOR SELECT USING ((SELECT plumb.standing()) IS NOT NULL);
CREATE POLICY lead ON plumb.snapshot USING ((SELECT plumb.standing()) = 'lead');

-- One's own ballot always; those of others once the panel waits for no more votes.
CREATE POLICY own_or_open ON plumb.ballot FOR SELECT USING (
    (SELECT plumb.standing()) IS NOT NULL AND (moderator = session_user OR plumb.ready(panel))
);

-- A trained model tells how single moderators decide, and so do its predictions.
CREATE POLICY lead ON plumb.model USING ((SELECT plumb.standing()) = 'lead');
CREATE POLICY lead ON plumb.prediction USING ((SELECT plumb.standing()) = 'lead');
