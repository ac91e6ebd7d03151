-- What people may do. `user` and `admin` are built in; others are made by administrators.
CREATE TABLE roles (
    name TEXT COLLATE "C" PRIMARY KEY,
    built_in BOOLEAN NOT NULL
);
CREATE TABLE role_permissions (
    role TEXT COLLATE "C" NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
    resource TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (role, resource, action)
);
INSERT INTO roles (name, built_in) VALUES ('user', TRUE), ('admin', TRUE);
INSERT INTO role_permissions (role, resource, action) VALUES
    ('user', 'product', 'read'),
    ('user', 'order', 'read'), ('user', 'order', 'create'),
    ('user', 'profile', 'read'), ('user', 'profile', 'update'),
    ('user', 'message', 'read'), ('user', 'message', 'create'), ('user', 'message', 'update'), ('user', 'message', 'delete'),
    ('user', 'file', 'read'), ('user', 'file', 'create'), ('user', 'file', 'delete'),
    ('admin', 'product', '*'), ('admin', 'category', '*'), ('admin', 'package', '*'), ('admin', 'offer', '*'),
    ('admin', 'order', 'read'), ('admin', 'order', 'create'), ('admin', 'order', 'update'),
    ('admin', 'profile', 'read'), ('admin', 'profile', 'update'),
    ('admin', 'message', 'read'), ('admin', 'message', 'create'), ('admin', 'message', 'update'), ('admin', 'message', 'delete'),
    ('admin', 'file', 'read'), ('admin', 'file', 'create'), ('admin', 'file', 'delete'),
    ('admin', 'user', 'read'), ('admin', 'user', 'create'), ('admin', 'user', 'update'), ('admin', 'user', 'delete'),
    ('admin', 'announcement', 'create'), ('admin', 'metrics', 'read'), ('admin', 'audit', 'read'),
    ('admin', 'role', '*'), ('admin', 'api-key', '*'), ('admin', 'job', '*'), ('admin', 'event', '*'),
    ('admin', 'webhook', '*'), ('admin', 'mail', '*'), ('admin', 'room', '*'), ('admin', 'setting', '*');

-- Addresses and usernames are unique in their folded form and shown as they were given.
CREATE TABLE users (
    id UUID PRIMARY KEY,
    username TEXT NOT NULL,
    username_folded TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    email_folded TEXT COLLATE "C" NOT NULL UNIQUE,
    email_verified_at BIGINT,
    password_hash TEXT NOT NULL,
    role TEXT COLLATE "C" NOT NULL REFERENCES roles (name),
    avatar_url TEXT,
    status TEXT NOT NULL DEFAULT 'offline',
    sync_status TEXT NOT NULL DEFAULT 'PENDING',
    last_login_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX users_created_at_idx ON users (created_at, id);
CREATE INDEX users_role_idx ON users (role, created_at, id);

-- A login session (`sid`): the family of the refresh tokens that follow one another from one sign-in.
CREATE TABLE sessions (
    id UUID PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    address TEXT NOT NULL,
    user_agent TEXT
);
CREATE INDEX sessions_user_id_idx ON sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);
CREATE INDEX sessions_ended_at_idx ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Only the SHA-256 of a token is kept. A spent one stays until it would have expired, so that its reuse is seen.
CREATE TABLE refresh_tokens (
    hash BYTEA PRIMARY KEY,
    session_id UUID NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    parent BYTEA,
    successor BYTEA,
    spent_at BIGINT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_session_id_idx ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expires_at_idx ON refresh_tokens (expires_at);

-- Proofs that an address is read by who gave it; kept as SHA-256.
CREATE TABLE email_verifications (
    hash BYTEA PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email_folded TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX email_verifications_user_id_idx ON email_verifications (user_id);
CREATE INDEX email_verifications_expires_at_idx ON email_verifications (expires_at);

-- Failed attempts by what was tried, whether it exists or not: `times` is a JSON list of microseconds.
CREATE TABLE login_failures (
    identifier TEXT COLLATE "C" PRIMARY KEY,
    times TEXT NOT NULL,
    locked_until BIGINT,
    last_at BIGINT NOT NULL
);
CREATE INDEX login_failures_last_at_idx ON login_failures (last_at);

-- What matters to security: who did what to whom, when and from where.
CREATE TABLE audit_log (
    id UUID PRIMARY KEY,
    at BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    address TEXT,
    user_agent TEXT,
    details TEXT
);
CREATE INDEX audit_log_at_idx ON audit_log (at, id);
CREATE INDEX audit_log_actor_idx ON audit_log (actor, at, id);
CREATE INDEX audit_log_type_idx ON audit_log (type, at, id);
