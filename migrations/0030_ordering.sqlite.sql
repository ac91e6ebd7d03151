-- A cart: the lines a shopper means to buy, each with the name and price that were shown when it was added.
CREATE TABLE carts (
    id UUID PRIMARY KEY,
    updated_at BIGINT NOT NULL
);
CREATE TABLE cart_items (
    id UUID PRIMARY KEY,
    cart_id UUID NOT NULL,
    line BIGINT NOT NULL,
    product_id UUID NOT NULL,
    name TEXT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    price BIGINT NOT NULL,
    CONSTRAINT cart_items_cart_id_product_id_key UNIQUE (cart_id, product_id)
);

-- Orders. `number` is the rowid: the next one is free of charge, because one writer commits. Ids begin with the time
-- of the order, so lists by time go by id and need no column for it in their indexes.
CREATE TABLE orders (
    number INTEGER PRIMARY KEY,
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    payment_status TEXT NOT NULL,
    payment_method TEXT NOT NULL,
    currency TEXT NOT NULL,
    subtotal BIGINT NOT NULL,
    discount BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    shipping BIGINT NOT NULL,
    total BIGINT NOT NULL,
    shipping_address TEXT NOT NULL,
    billing_address TEXT,
    tracking_number TEXT,
    carrier TEXT,
    estimated_delivery BIGINT,
    notes TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT orders_id_key UNIQUE (id)
);
CREATE INDEX orders_user_idx ON orders (user_id, id);
CREATE INDEX orders_status_idx ON orders (status, id);
CREATE INDEX orders_payment_status_idx ON orders (payment_status, id);

CREATE TABLE order_items (
    order_id UUID NOT NULL,
    line BIGINT NOT NULL,
    product_id UUID NOT NULL,
    name TEXT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    price BIGINT NOT NULL,
    PRIMARY KEY (order_id, line)
) WITHOUT ROWID;

-- Every status an order had; `version` is the order's at that moment.
CREATE TABLE order_history (
    order_id UUID NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    details TEXT,
    PRIMARY KEY (order_id, version)
) WITHOUT ROWID;

-- How far the money of an order has come. `due_at` is when the sweep looks after it if nobody has settled it by then.
CREATE TABLE payments (
    order_id UUID PRIMARY KEY,
    provider TEXT NOT NULL,
    state TEXT NOT NULL,
    amount BIGINT NOT NULL,
    charge TEXT,
    due_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX payments_due_idx ON payments (due_at) WHERE due_at IS NOT NULL;
