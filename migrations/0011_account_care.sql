-- The one link by which somebody may set a new password, kept as SHA-256; a newer one takes its place. An ended row, with
-- or without a hash, stays until it would have expired: what was asked for before it makes no link any more.
CREATE TABLE password_resets (
    user_id UUID PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash BYTEA,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE UNIQUE INDEX password_resets_hash_key ON password_resets (hash);
CREATE INDEX password_resets_expires_at_idx ON password_resets (expires_at);

-- The devices of somebody, newest first; and who was active lately.
DROP INDEX sessions_user_id_idx;
CREATE INDEX sessions_by_user_idx ON sessions (user_id, created_at, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_last_used_at_idx ON sessions (last_used_at) WHERE ended_at IS NULL;

-- What somebody chose to be seen as; nobody could choose before.
UPDATE users SET status = 'online';

-- How far the copy of a user to an outer system is. Users that were sent together share `sync_batch` until that is
-- settled, so that they are sent again in the same words when the answer was lost.
ALTER TABLE users ADD COLUMN sync_attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN sync_due_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN sync_batch UUID;
CREATE INDEX users_sync_due_idx ON users (sync_due_at, id) WHERE sync_status = 'PENDING';
CREATE INDEX users_sync_batch_idx ON users (sync_batch) WHERE sync_batch IS NOT NULL;
