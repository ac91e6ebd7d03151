-- The words of usernames and names in their folded form, by whose beginnings people are found.
CREATE TABLE user_words (
    word TEXT COLLATE "C" NOT NULL,
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (word, user_id)
);
CREATE INDEX user_words_user_id_idx ON user_words (user_id, word);

INSERT INTO user_words (word, user_id)
SELECT word COLLATE "C", id FROM users, regexp_split_to_table(lower(name) || ' ' || username_folded, '[[:space:]._''-]+') AS word
WHERE word <> ''
UNION
SELECT username_folded, id FROM users;
