-- The event log. `pos` is the rowid: dense and in commit order by nature, because one writer commits. Without
-- AUTOINCREMENT it is "newest + 1", so retention never takes the newest row.
CREATE TABLE events (
    pos INTEGER PRIMARY KEY,
    id UUID NOT NULL,
    topic TEXT NOT NULL,
    type TEXT NOT NULL,
    aggregate TEXT NOT NULL,
    version BIGINT NOT NULL,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    payload TEXT NOT NULL
);
CREATE INDEX events_topic_pos_idx ON events (topic, pos);

-- One row: which life of the log this is. Offsets of another life mean nothing here.
CREATE TABLE event_log (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch TEXT NOT NULL
);
INSERT INTO event_log (only_row, epoch) VALUES (1, lower(hex(randomblob(8))));

-- Each follower's place. `attempts` counts the tries at what comes after `pos`, the next one included;
-- `careful` is how many events are still taken one by one after a crash; `runner` is the process that follows.
CREATE TABLE followers (
    name TEXT PRIMARY KEY,
    pos BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    careful BIGINT NOT NULL DEFAULT 0,
    runner UUID,
    last_error TEXT
);

-- Events a follower gave up on, and those that wait behind them for the sake of their aggregate's order.
CREATE TABLE parked_events (
    follower TEXT NOT NULL,
    pos BIGINT NOT NULL,
    aggregate TEXT NOT NULL,
    reason TEXT NOT NULL,
    parked_at BIGINT NOT NULL,
    retry BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (follower, pos)
);
CREATE INDEX parked_events_aggregate_idx ON parked_events (follower, aggregate, pos);
