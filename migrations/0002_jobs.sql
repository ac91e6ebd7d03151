-- Jobs that are not finished: waiting, running (`locked_until`, `locked_by`) or dead (`dead_at`). Finished ones are gone.
CREATE TABLE jobs (
    id UUID PRIMARY KEY,
    queue TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    payload TEXT NOT NULL,
    key TEXT COLLATE "C",
    run_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    max_attempts BIGINT NOT NULL,
    locked_until BIGINT,
    locked_by UUID,
    dead_at BIGINT,
    last_error TEXT,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX jobs_due_idx ON jobs (queue, run_at, id) WHERE dead_at IS NULL;
CREATE INDEX jobs_dead_idx ON jobs (dead_at, id) WHERE dead_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_kind_key_key ON jobs (kind, key) WHERE dead_at IS NULL;

-- When each scheduled job is due next, for the whole cluster.
CREATE TABLE schedules (
    name TEXT COLLATE "C" PRIMARY KEY,
    cron TEXT NOT NULL,
    next_at BIGINT NOT NULL
);
