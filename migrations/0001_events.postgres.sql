-- The event log. Writers append with `pos` NULL; the sequencer numbers what is committed, densely. `ident` is drawn
-- while the aggregate's row is locked, so it keeps the order within an aggregate.
CREATE TABLE events (
    ident BIGINT GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    pos BIGINT,
    id UUID NOT NULL,
    topic TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    aggregate TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    payload TEXT NOT NULL,
    CONSTRAINT events_pos_key UNIQUE (pos)
) WITH (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX events_unsequenced_idx ON events (ident) WHERE pos IS NULL;
CREATE INDEX events_topic_pos_idx ON events (topic, pos) WHERE pos IS NOT NULL;

-- One row: which life of the log this is, and the newest `pos`. Offsets of another life mean nothing here.
CREATE TABLE event_log (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch TEXT NOT NULL,
    pos BIGINT NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
INSERT INTO event_log (only_row, epoch, pos)
VALUES (1, substr(replace(gen_random_uuid()::text, '-', ''), 1, 16), 0);

-- Each follower's place. `attempts` counts the tries at what comes after `pos`, the next one included;
-- `careful` is how many events are still taken one by one after a crash; `runner` is the process that follows.
CREATE TABLE followers (
    name TEXT COLLATE "C" PRIMARY KEY,
    pos BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    careful BIGINT NOT NULL DEFAULT 0,
    runner UUID,
    last_error TEXT
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);

-- Events a follower gave up on, and those that wait behind them for the sake of their aggregate's order.
CREATE TABLE parked_events (
    follower TEXT COLLATE "C" NOT NULL,
    pos BIGINT NOT NULL,
    aggregate TEXT COLLATE "C" NOT NULL,
    reason TEXT NOT NULL,
    parked_at BIGINT NOT NULL,
    retry BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (follower, pos)
);
CREATE INDEX parked_events_aggregate_idx ON parked_events (follower, aggregate, pos);
