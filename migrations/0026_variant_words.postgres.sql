-- Products are found by the names and SKUs of their variants. Those that have some are entered anew, by the job that enters
-- what is older than the search.
INSERT INTO search_backlog (product_id) SELECT id FROM products WHERE variant_count > 0 ON CONFLICT (product_id) DO NOTHING;
DELETE FROM product_search WHERE product_id IN (SELECT id FROM products WHERE variant_count > 0);
