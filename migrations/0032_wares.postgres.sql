-- Wares in carts and orders: a line is of a product, of a variant of one, or of a package.
ALTER TABLE cart_items ALTER COLUMN product_id DROP NOT NULL;
ALTER TABLE cart_items ADD COLUMN variant_id UUID;
ALTER TABLE cart_items ADD COLUMN package_id UUID;
ALTER TABLE cart_items ADD CHECK ((product_id IS NULL) <> (package_id IS NULL));
ALTER TABLE cart_items ADD CHECK (variant_id IS NULL OR product_id IS NOT NULL);
ALTER TABLE cart_items DROP CONSTRAINT cart_items_cart_id_product_id_key;
-- One line for each ware of a cart.
CREATE UNIQUE INDEX cart_items_ware_key ON cart_items (cart_id, COALESCE(variant_id, package_id, product_id));

-- `parts` is what was taken from the shelf for a package, as JSON, so that exactly that is given back.
ALTER TABLE order_items ALTER COLUMN product_id DROP NOT NULL;
ALTER TABLE order_items ADD COLUMN variant_id UUID;
ALTER TABLE order_items ADD COLUMN package_id UUID;
ALTER TABLE order_items ADD COLUMN parts TEXT;
ALTER TABLE order_items ADD CHECK ((product_id IS NULL) <> (package_id IS NULL));
ALTER TABLE order_items ADD CHECK (variant_id IS NULL OR product_id IS NOT NULL);
ALTER TABLE order_items ADD CHECK ((package_id IS NULL) = (parts IS NULL));

-- The codes that were put on a cart, and the offers it was shown with; those an order was placed with. All as JSON.
ALTER TABLE carts ADD COLUMN codes TEXT;
ALTER TABLE carts ADD COLUMN offers TEXT;
ALTER TABLE orders ADD COLUMN offers TEXT;
