-- What was sent. `state` is 'pending' until its objects are in the store, then 'ready', and 'deleted' until a job has
-- removed them: whatever lies in the store has a row. `owner_id` is that of a user; guests have the nil one, so that what
-- they use together is counted as somebody's.
CREATE TABLE files (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    visibility TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    original_name TEXT NOT NULL,
    content_type TEXT COLLATE "C" NOT NULL,
    extension TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    checksum TEXT COLLATE "C" NOT NULL,
    width BIGINT,
    height BIGINT,
    thumbnail_size BIGINT,
    original_extension TEXT COLLATE "C",
    original_size BIGINT,
    room_id UUID,
    created_at BIGINT NOT NULL,
    uploaded_at BIGINT,
    expires_at BIGINT,
    state_since BIGINT NOT NULL
);
CREATE INDEX files_owner_idx ON files (owner_id, id) WHERE state = 'ready';
CREATE INDEX files_unfinished_idx ON files (state_since, id) WHERE state <> 'ready';
CREATE INDEX files_expiring_idx ON files (expires_at, id) WHERE expires_at IS NOT NULL;

-- What somebody keeps altogether, what is on its way included.
CREATE TABLE file_usage (
    owner_id UUID PRIMARY KEY,
    bytes BIGINT NOT NULL,
    files BIGINT NOT NULL
);

-- Which messages carry which files; whoever may read the room may read them.
CREATE TABLE file_messages (
    message_id UUID NOT NULL,
    place BIGINT NOT NULL,
    file_id UUID NOT NULL,
    room_id UUID NOT NULL,
    PRIMARY KEY (message_id, place)
);
CREATE UNIQUE INDEX file_messages_file_key ON file_messages (file_id, message_id);
CREATE INDEX file_messages_room_idx ON file_messages (room_id, message_id, place);

-- What somebody was given an address for, to send it to the store past this server. The object lies under `incoming/`
-- until it is complete, or until the row has expired.
CREATE TABLE file_uploads (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL,
    original_name TEXT NOT NULL,
    content_type TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    visibility TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    taken_until BIGINT
);
CREATE INDEX file_uploads_owner_idx ON file_uploads (owner_id, id);
CREATE INDEX file_uploads_expires_idx ON file_uploads (expires_at, id);
