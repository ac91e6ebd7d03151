-- The ledger of the `test` payment provider. It stands for an outside party: no statement of ours joins it, and it is
-- written in transactions of its own only.
CREATE TABLE test_provider_charges (
    key TEXT COLLATE "C" PRIMARY KEY,
    charge TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    method TEXT NOT NULL,
    state TEXT NOT NULL,
    refunded BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL
);
CREATE TABLE test_provider_refunds (
    key TEXT COLLATE "C" PRIMARY KEY,
    charge_key TEXT NOT NULL,
    refund TEXT NOT NULL,
    amount BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
