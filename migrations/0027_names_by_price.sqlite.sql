-- Names of products once more, in the order of prices, for lists that are filtered by words and sorted by price. The rowid
-- is the price and below that 24 bits of the number that `doc` ends with.
CREATE VIRTUAL TABLE product_prices USING fts5(
    words, content = '', columnsize = 0, detail = none, tokenize = "ascii tokenchars '_'"
);
CREATE UNIQUE INDEX IF NOT EXISTS product_search_number_idx ON product_search (doc & 17592186044415);

-- The words of the text index, to find those that begin like one that is asked for.
CREATE VIRTUAL TABLE product_terms USING fts5vocab(product_texts, instance);

-- Those that are there already are entered by the job that enters what is older than the search.
INSERT INTO search_backlog (product_id) SELECT id FROM products WHERE true ON CONFLICT (product_id) DO NOTHING;
