-- Variants of products. A product that has some is sold by them alone, and its stock is the sum of theirs. Whoever changes
-- a variant holds the row of its product first; that row also counts them, so that a product without any costs no look here.
ALTER TABLE products ADD COLUMN variant_count BIGINT NOT NULL DEFAULT 0;
CREATE TABLE variants (
    id UUID PRIMARY KEY,
    product_id UUID NOT NULL REFERENCES products (id),
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    sku TEXT NOT NULL,
    sku_folded TEXT COLLATE "C" NOT NULL,
    price BIGINT NOT NULL CHECK (price >= 0),
    stock BIGINT NOT NULL CHECK (stock >= 0),
    attributes TEXT NOT NULL,
    CONSTRAINT variants_sku_folded_key UNIQUE (sku_folded)
);
CREATE INDEX variants_product_idx ON variants (product_id, position);

-- The variant whose pieces moved; none for those of a product that has no variants. Every movement has a version of its
-- product to itself. The movements of a variant add up to its stock, and to nothing once it is deleted.
ALTER TABLE stock_movements ADD COLUMN variant_id UUID;
