-- Imports of products, running or over. The row is written with each slice of lines, in its transaction, so it tells
-- exactly what came in; `slices` makes a slice that is tried again count once. `errors` is a JSON list of the first bad
-- lines, `failed` the number of all.
CREATE TABLE catalog_imports (
    id UUID PRIMARY KEY,
    format TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    slices BIGINT NOT NULL,
    lines BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    unchanged BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    errors TEXT NOT NULL,
    started_by TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX catalog_imports_started_idx ON catalog_imports (started_at, id);
