-- A payment is an intent at its provider: `intent` is the provider's name for it, once it is worth keeping. `attempts`
-- counts how often the buyer has tried to pay it. `captured` is what was taken; `returned` is what was given back or is on
-- its way back, and is never more.
ALTER TABLE payments ADD COLUMN intent TEXT;
ALTER TABLE payments ADD COLUMN attempts BIGINT NOT NULL DEFAULT 1;
ALTER TABLE payments ADD COLUMN captured BIGINT NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN returned BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX payments_intent_key ON payments (intent) WHERE intent IS NOT NULL;

-- Money that goes back, a row each time. `due_at` is when the sweep looks after it.
CREATE TABLE refunds (
    id UUID PRIMARY KEY,
    order_id UUID NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL,
    reason TEXT,
    failure TEXT,
    provider_refund TEXT,
    tries BIGINT NOT NULL,
    requested_by TEXT NOT NULL,
    due_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX refunds_order_idx ON refunds (order_id, id);
CREATE INDEX refunds_due_idx ON refunds (due_at) WHERE due_at IS NOT NULL;

-- Refunds were always of a whole order and a state of its payment. The id of the order stands for such a one: its key at
-- the provider was made of that alone.
INSERT INTO refunds (id, order_id, amount, state, tries, requested_by, due_at, created_at, updated_at)
SELECT order_id, order_id, amount, CASE state WHEN 'refunded' THEN 'succeeded' ELSE 'pending' END, 1,
    'system:migration', CASE state WHEN 'refunded' THEN NULL ELSE due_at END, updated_at, updated_at
FROM payments WHERE state IN ('refunding', 'refunded') AND amount > 0;
UPDATE payments SET captured = amount WHERE state IN ('captured', 'refunding', 'refunded');
UPDATE payments SET returned = amount, state = 'captured', due_at = NULL WHERE state IN ('refunding', 'refunded');

-- What providers told us by themselves, each once.
CREATE TABLE payment_notices (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    received_at BIGINT NOT NULL
);
CREATE INDEX payment_notices_received_idx ON payment_notices (received_at);
