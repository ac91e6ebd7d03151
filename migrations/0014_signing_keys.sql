-- Ed25519 keys that sign access tokens, shared by all nodes. A key signs from `signs_from` until a later generation does;
-- once it has a successor it goes on verifying until `verifies_until`, when the last token it signed has run out. The
-- private part is sealed with a key made of STOA_JWT_SECRET.
CREATE TABLE signing_keys (
    generation BIGINT PRIMARY KEY,
    kid TEXT COLLATE "C" NOT NULL UNIQUE,
    public_key BYTEA NOT NULL,
    sealed_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    verifies_until BIGINT
);
