-- What a client of a socket takes up again when it comes back: who it is, and what it is subscribed to. `id` is the
-- SHA-256 of the secret by which the client knows the session. `claim` counts the sockets that have had it: only the
-- newest may change it. The place `since` of the life `epoch` of the event log is where it began.
CREATE TABLE realtime_sessions (
    id BYTEA PRIMARY KEY,
    user_id UUID NOT NULL,
    login UUID NOT NULL,
    epoch TEXT NOT NULL,
    since BIGINT NOT NULL,
    claim BIGINT NOT NULL,
    home BOOLEAN NOT NULL,
    subscriptions TEXT NOT NULL,
    alive_until BIGINT NOT NULL
);
CREATE INDEX realtime_sessions_alive_until_idx ON realtime_sessions (alive_until);
