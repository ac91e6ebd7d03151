-- The words of usernames and names in their folded form, by whose beginnings people are found.
CREATE TABLE user_words (
    word TEXT NOT NULL,
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (word, user_id)
) WITHOUT ROWID;
CREATE INDEX user_words_user_id_idx ON user_words (user_id, word);

INSERT INTO user_words (word, user_id)
WITH RECURSIVE
    plain (id, text) AS (
        SELECT id, replace(replace(replace(replace(lower(name) || ' ' || username_folded, '.', ' '), '-', ' '), '_', ' '), '''', ' ') || ' '
        FROM users
    ),
    split (id, word, rest) AS (
        SELECT id, '', text FROM plain
        UNION ALL
        SELECT id, substr(rest, 1, instr(rest, ' ') - 1), substr(rest, instr(rest, ' ') + 1) FROM split WHERE rest <> ''
    )
SELECT word, id FROM split WHERE word <> ''
UNION
SELECT username_folded, id FROM users;
