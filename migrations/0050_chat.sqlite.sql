-- Where people talk. `last_seq` is the number of the newest message: those of a room are numbered without holes. `pair`
-- names the two people of a direct room, so there is one for each two. `slug` and `pair` are gone as soon as a room is
-- closed; the row stays until a job has removed what was in it.
CREATE TABLE rooms (
    id UUID PRIMARY KEY,
    slug TEXT UNIQUE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    everybody BOOLEAN NOT NULL,
    pair TEXT UNIQUE,
    slow_mode BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    member_count BIGINT NOT NULL,
    version BIGINT NOT NULL,
    active_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    closed_at BIGINT
);
CREATE INDEX rooms_public_idx ON rooms (slug) WHERE kind = 'public';
CREATE INDEX rooms_everybody_idx ON rooms (id) WHERE everybody;
CREATE INDEX rooms_closed_idx ON rooms (id) WHERE closed_at IS NOT NULL;
INSERT INTO rooms (id, slug, name, kind, everybody, slow_mode, last_seq, member_count, version, active_at, created_at, updated_at)
SELECT X'01900000000070008000000000000001', 'general', 'General', 'public', TRUE, 0, 0, 0, 1, 0, at, at
FROM (SELECT CAST(unixepoch('now') AS BIGINT) * 1000000 AS at);

-- Who is in a room, how far they have read, and who was sent out: a banned one has a row and is no member.
CREATE TABLE room_members (
    room_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role TEXT NOT NULL,
    joined_at BIGINT NOT NULL,
    read_seq BIGINT NOT NULL,
    muted_until BIGINT,
    banned_at BIGINT,
    last_sent_at BIGINT,
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX room_members_user_idx ON room_members (user_id, room_id);
CREATE INDEX room_members_read_idx ON room_members (room_id, read_seq, user_id) WHERE banned_at IS NULL;
CREATE INDEX room_members_joined_idx ON room_members (room_id, joined_at, user_id) WHERE banned_at IS NULL;
CREATE INDEX room_members_banned_idx ON room_members (room_id, joined_at, user_id) WHERE banned_at IS NOT NULL;
CREATE INDEX room_members_staff_idx ON room_members (room_id, joined_at, user_id) WHERE role <> 'member';

-- What was said. `doc` is the order in which it is searched; a deleted message keeps its place and none of its content.
-- `thread_id` is the first message of the thread that a reply belongs to.
CREATE TABLE messages (
    doc INTEGER PRIMARY KEY,
    id UUID NOT NULL UNIQUE,
    room_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    sender_id UUID NOT NULL,
    client_id TEXT,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    reply_to UUID,
    thread_id UUID,
    reaction_count BIGINT NOT NULL,
    mention_count BIGINT NOT NULL,
    version BIGINT NOT NULL,
    pinned_at BIGINT,
    edited_at BIGINT,
    deleted_at BIGINT,
    created_at BIGINT NOT NULL,
    CONSTRAINT messages_room_id_seq_key UNIQUE (room_id, seq)
);
CREATE UNIQUE INDEX messages_client_key ON messages (room_id, sender_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX messages_thread_idx ON messages (thread_id, seq) WHERE thread_id IS NOT NULL;
CREATE INDEX messages_pinned_idx ON messages (room_id, seq) WHERE pinned_at IS NOT NULL;

CREATE TABLE message_reactions (
    message_id UUID NOT NULL,
    emoji TEXT NOT NULL,
    user_id UUID NOT NULL,
    reacted_at BIGINT NOT NULL,
    PRIMARY KEY (message_id, emoji, user_id)
) WITHOUT ROWID;

CREATE TABLE message_mentions (
    message_id UUID NOT NULL,
    user_id UUID NOT NULL,
    room_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (message_id, user_id)
) WITHOUT ROWID;
CREATE INDEX message_mentions_user_idx ON message_mentions (user_id, room_id, seq);

-- What messages are found by: their words, folded and separated already, and marks of who may read them.
CREATE VIRTUAL TABLE message_texts USING fts5(
    words, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars '_'"
);

-- What a deleted message said is taken out of the log too; this finds it there.
CREATE INDEX events_of_messages_idx ON events (aggregate) WHERE type IN ('chat.message_sent', 'chat.message_edited');
