-- Packages: products sold together at a price of their own. They have no stock; what can be had of one is decided by its
-- parts. A part may name a product that is gone: then the package is not offered.
CREATE TABLE packages (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,
    description TEXT NOT NULL,
    price BIGINT NOT NULL CHECK (price >= 0),
    images TEXT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX packages_by_age_idx ON packages (created_at, id);
CREATE INDEX packages_by_name_idx ON packages (name_folded, id);
CREATE INDEX packages_by_status_age_idx ON packages (status, created_at, id);
CREATE INDEX packages_by_status_name_idx ON packages (status, name_folded, id);

CREATE TABLE package_items (
    package_id UUID NOT NULL REFERENCES packages (id),
    position BIGINT NOT NULL,
    product_id UUID NOT NULL,
    variant_id UUID,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (package_id, position)
);

-- Offers. `value` is in basis points for a percentage, else in minor units. Those without a code apply by themselves and
-- are found by what they are for; `target_id` is none for the whole cart. `uses` is only counted by conditional statements.
CREATE TABLE offers (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,
    code TEXT,
    code_folded TEXT COLLATE "C",
    kind TEXT NOT NULL,
    value BIGINT NOT NULL CHECK (value > 0),
    target_kind TEXT COLLATE "C" NOT NULL,
    target_id UUID,
    starts_at BIGINT,
    ends_at BIGINT,
    max_uses BIGINT CHECK (max_uses > 0),
    uses BIGINT NOT NULL CHECK (uses >= 0),
    active BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX offers_code_folded_key ON offers (code_folded) WHERE code_folded IS NOT NULL;
CREATE INDEX offers_by_age_idx ON offers (created_at, id);
CREATE INDEX offers_by_name_idx ON offers (name_folded, id);
CREATE INDEX offers_automatic_idx ON offers (target_kind, target_id) WHERE active AND code_folded IS NULL;
CREATE INDEX offers_automatic_by_age_idx ON offers (created_at, id) WHERE active AND code_folded IS NULL;
CREATE INDEX offers_automatic_by_name_idx ON offers (name_folded, id) WHERE active AND code_folded IS NULL;
