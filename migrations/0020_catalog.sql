-- The catalogue. `name_folded` is the name in lower case, for sorting and searching. `in_stock` is what lists filter by:
-- it changes only when stock reaches or leaves zero, so that selling a piece touches no index.
CREATE TABLE products (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,
    description TEXT NOT NULL,
    price BIGINT NOT NULL CHECK (price >= 0),
    compare_at_price BIGINT CHECK (compare_at_price >= 0),
    stock BIGINT NOT NULL CHECK (stock >= 0),
    in_stock BOOLEAN NOT NULL GENERATED ALWAYS AS (stock > 0) STORED,
    category TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    images TEXT NOT NULL,
    specifications TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Every change of stock, in the transaction that made it: the changes of a product add up to its stock, and to nothing
-- once it is deleted. `version` is the product's version after the change.
CREATE TABLE stock_movements (
    product_id UUID NOT NULL,
    version BIGINT NOT NULL,
    change BIGINT NOT NULL,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (product_id, version)
);

CREATE TABLE categories (
    id UUID PRIMARY KEY,
    slug TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,
    parent_id UUID REFERENCES categories (id),
    CONSTRAINT categories_slug_key UNIQUE (slug)
);
CREATE INDEX categories_name_idx ON categories (name_folded, id);
CREATE INDEX categories_parent_idx ON categories (parent_id);
