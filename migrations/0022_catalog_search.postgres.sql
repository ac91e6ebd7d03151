-- What products are found by. Selling touches none of this: it is written when a product is made, renamed, described
-- anew, moved to another category or status, and when it is deleted.

-- One row for each product. `doc` says how many words its name has, and below that when it was entered: the order in which
-- products that match equally well are shown. `words` is the name as it is compared: folded, without signs. `texts` holds
-- the words of the name with weight A, those of everything else, and marks of category and status. The words come folded
-- and separated already, so no parser and no extension is needed.
CREATE TABLE product_search (
    doc BIGINT PRIMARY KEY,
    product_id UUID NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    category TEXT COLLATE "C" NOT NULL,
    words TEXT COLLATE "C" NOT NULL,
    texts TSVECTOR NOT NULL,
    CONSTRAINT product_search_product_id_key UNIQUE (product_id)
);
CREATE INDEX IF NOT EXISTS product_search_words_idx ON product_search (words, doc, status, category);
CREATE INDEX IF NOT EXISTS product_search_texts_idx ON product_search USING gin (texts);

-- The words of all names, by groups of three letters, to find those that look like a word that nobody knows.
CREATE TABLE search_words (word TEXT COLLATE "C" PRIMARY KEY);
CREATE TABLE search_grams (
    gram TEXT COLLATE "C" NOT NULL,
    letters BIGINT NOT NULL,
    word TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (gram, letters, word)
);

-- The number that the next entry gets. A sequence, so that writers do not wait for each other.
CREATE SEQUENCE search_numbers;

-- Products that are older than this index and wait to be entered.
CREATE TABLE search_backlog (product_id UUID PRIMARY KEY);
INSERT INTO search_backlog (product_id) SELECT id FROM products;
