-- Carts of guests, by the hash of the secret in their cookie. A table of its own, so that carts of users have no index
-- that moves with every change.
CREATE TABLE guest_carts (
    secret_hash BLOB PRIMARY KEY,
    cart_id UUID NOT NULL,
    updated_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX guest_carts_age_idx ON guest_carts (updated_at);
