-- One index for each way a list of products is asked for, so that a page costs the same however many there are. A list
-- over several statuses merges one walk for each. Loading many products at once drops these and makes them again.
CREATE INDEX IF NOT EXISTS products_by_price_idx ON products (status, price, id);
CREATE INDEX IF NOT EXISTS products_by_name_idx ON products (status, name_folded, id);
CREATE INDEX IF NOT EXISTS products_by_age_idx ON products (status, created_at, id);
CREATE INDEX IF NOT EXISTS products_by_category_price_idx ON products (status, category, price, id);
CREATE INDEX IF NOT EXISTS products_by_category_name_idx ON products (status, category, name_folded, id);
CREATE INDEX IF NOT EXISTS products_by_category_age_idx ON products (status, category, created_at, id);
CREATE INDEX IF NOT EXISTS products_sold_out_by_price_idx ON products (status, price, id) WHERE NOT in_stock;
CREATE INDEX IF NOT EXISTS products_sold_out_by_name_idx ON products (status, name_folded, id) WHERE NOT in_stock;
CREATE INDEX IF NOT EXISTS products_sold_out_by_age_idx ON products (status, created_at, id) WHERE NOT in_stock;
CREATE INDEX IF NOT EXISTS products_sold_out_by_category_price_idx ON products (status, category, price, id) WHERE NOT in_stock;
CREATE INDEX IF NOT EXISTS products_sold_out_by_category_name_idx ON products (status, category, name_folded, id) WHERE NOT in_stock;
CREATE INDEX IF NOT EXISTS products_sold_out_by_category_age_idx ON products (status, category, created_at, id) WHERE NOT in_stock;
