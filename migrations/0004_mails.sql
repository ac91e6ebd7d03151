-- What became of each mail, from its first try until it is forgotten by age. No bodies: they hold links that open accounts.
-- `id` is that of the job that sends it.
CREATE TABLE mails (
    id UUID PRIMARY KEY,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    template TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    error TEXT,
    at BIGINT NOT NULL
);
CREATE INDEX mails_at_idx ON mails (at, id);
CREATE INDEX mails_unsent_idx ON mails (at, id) WHERE state <> 'sent';
