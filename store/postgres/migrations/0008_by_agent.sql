-- What an agent holds. The indexes begin with another column than those by item:
-- beside two that begin with the workspace, a plan made while the tables are empty
-- may look an item up by the workspace alone, and stays when they have grown.
CREATE INDEX offers_by_agent ON offers (agent, ws) WHERE open;
CREATE INDEX assignments_by_agent ON assignments (agent, ws) WHERE open;
DROP INDEX offers_agent;
DROP INDEX assignments_agent;
