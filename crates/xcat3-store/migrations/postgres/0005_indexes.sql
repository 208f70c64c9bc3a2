-- Only nodes that are looked for by their image or state are in these; a node that is enrolled is in
-- neither.

DROP INDEX nodes_by_osimage;
CREATE INDEX nodes_by_osimage ON nodes (osimage) WHERE osimage IS NOT NULL;
DROP INDEX nodes_by_state;
CREATE INDEX nodes_by_state ON nodes (state) WHERE state = 'deploying';
