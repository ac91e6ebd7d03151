-- What products are found by. Selling touches none of this: it is written when a product is made, renamed, described
-- anew, moved to another category or status, and when it is deleted.

-- One row for each product. `doc` says how many words its name has, and below that when it was entered: the order in which
-- products that match equally well are shown, and the rowid of the text index, which therefore hands them out in that
-- order. `words` is the name as it is compared: folded, without signs.
CREATE TABLE product_search (
    doc INTEGER PRIMARY KEY,
    product_id UUID NOT NULL,
    status TEXT NOT NULL,
    category TEXT NOT NULL,
    words TEXT NOT NULL,
    CONSTRAINT product_search_product_id_key UNIQUE (product_id)
);
CREATE INDEX IF NOT EXISTS product_search_words_idx ON product_search (words, doc, status, category);

-- The text index: words of the name, words of everything else, and marks of category and status. The words come folded and
-- separated already, so the plainest tokenizer will do, and no text is kept a second time.
CREATE VIRTUAL TABLE product_texts USING fts5(
    name, more, marks, content = '', contentless_delete = 1, detail = column, tokenize = "ascii tokenchars '_'"
);

-- The words of all names, by groups of three letters, to find those that look like a word that nobody knows.
CREATE TABLE search_words (word TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE search_grams (
    gram TEXT NOT NULL,
    letters BIGINT NOT NULL,
    word TEXT NOT NULL,
    PRIMARY KEY (gram, letters, word)
) WITHOUT ROWID;

-- The number that the next entry gets.
CREATE TABLE search_numbers (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), next BIGINT NOT NULL);
INSERT INTO search_numbers (only_row, next) VALUES (1, 1);

-- Products that are older than this index and wait to be entered.
CREATE TABLE search_backlog (product_id UUID PRIMARY KEY) WITHOUT ROWID;
INSERT INTO search_backlog (product_id) SELECT id FROM products;
