-- Answers kept for requests that carry an Idempotency-Key.
CREATE TABLE idempotency_keys (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    done BOOLEAN NOT NULL,
    recovery TEXT,
    lease_until BIGINT NOT NULL,
    status BIGINT,
    body TEXT,
    etag TEXT,
    location TEXT,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);
