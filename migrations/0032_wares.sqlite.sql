-- Wares in carts and orders: a line is of a product, of a variant of one, or of a package. SQLite cannot let a column be
-- NULL that could not, so both tables are made anew.
CREATE TABLE wares_in_carts (
    id UUID PRIMARY KEY,
    cart_id UUID NOT NULL,
    line BIGINT NOT NULL,
    product_id UUID,
    variant_id UUID,
    package_id UUID,
    name TEXT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    price BIGINT NOT NULL,
    CHECK ((product_id IS NULL) <> (package_id IS NULL)),
    CHECK (variant_id IS NULL OR product_id IS NOT NULL)
);
INSERT INTO wares_in_carts (id, cart_id, line, product_id, name, quantity, price)
    SELECT id, cart_id, line, product_id, name, quantity, price FROM cart_items;
DROP TABLE cart_items;
ALTER TABLE wares_in_carts RENAME TO cart_items;
-- One line for each ware of a cart.
CREATE UNIQUE INDEX cart_items_ware_key ON cart_items (cart_id, COALESCE(variant_id, package_id, product_id));

-- `parts` is what was taken from the shelf for a package, as JSON, so that exactly that is given back.
CREATE TABLE wares_in_orders (
    order_id UUID NOT NULL,
    line BIGINT NOT NULL,
    product_id UUID,
    variant_id UUID,
    package_id UUID,
    name TEXT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    price BIGINT NOT NULL,
    parts TEXT,
    PRIMARY KEY (order_id, line),
    CHECK ((product_id IS NULL) <> (package_id IS NULL)),
    CHECK (variant_id IS NULL OR product_id IS NOT NULL),
    CHECK ((package_id IS NULL) = (parts IS NULL))
) WITHOUT ROWID;
INSERT INTO wares_in_orders (order_id, line, product_id, name, quantity, price)
    SELECT order_id, line, product_id, name, quantity, price FROM order_items;
DROP TABLE order_items;
ALTER TABLE wares_in_orders RENAME TO order_items;

-- The codes that were put on a cart, and the offers it was shown with; those an order was placed with. All as JSON.
ALTER TABLE carts ADD COLUMN codes TEXT;
ALTER TABLE carts ADD COLUMN offers TEXT;
ALTER TABLE orders ADD COLUMN offers TEXT;
