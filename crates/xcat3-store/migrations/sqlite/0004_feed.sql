-- The change feed reads nodes page by page in this order.

DROP INDEX nodes_by_revision;
CREATE INDEX nodes_by_revision ON nodes (revision, name);
