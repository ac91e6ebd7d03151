-- Keys by which programs sign in. Only the SHA-256 of a key is kept, and its first characters, by which lists name it.
-- `scopes` and `allowed_ips` are JSON lists of texts: `order:read`, `10.0.0.0/8`.
CREATE TABLE api_keys (
    id UUID PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    allowed_ips TEXT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX api_keys_created_at_idx ON api_keys (created_at, id);
