-- What people were told: one row each, made by following the event log. `event_id` and `user_id` together happen once.
CREATE TABLE notifications (
    id UUID PRIMARY KEY,
    user_id UUID NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    title TEXT NOT NULL,
    message TEXT NOT NULL,
    data TEXT NOT NULL,
    event_id UUID NOT NULL,
    created_at BIGINT NOT NULL,
    read_at BIGINT,
    CONSTRAINT notifications_event_user_key UNIQUE (event_id, user_id)
);
CREATE INDEX notifications_user_idx ON notifications (user_id, created_at, id);
CREATE INDEX notifications_unread_idx ON notifications (user_id, created_at, id) WHERE read_at IS NULL;
CREATE INDEX notifications_created_at_idx ON notifications (created_at, id);

-- What is said to everybody is kept once; a mark is made when somebody reads or removes it.
CREATE TABLE announcements (
    id UUID PRIMARY KEY,
    title TEXT NOT NULL,
    message TEXT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX announcements_created_at_idx ON announcements (created_at, id);
CREATE TABLE announcement_marks (
    user_id UUID NOT NULL,
    announcement_id UUID NOT NULL REFERENCES announcements (id) ON DELETE CASCADE,
    read_at BIGINT NOT NULL,
    removed BOOLEAN NOT NULL,
    PRIMARY KEY (user_id, announcement_id)
);
CREATE INDEX announcement_marks_announcement_idx ON announcement_marks (announcement_id);

-- Only what somebody chose; everybody else is told everything.
CREATE TABLE notification_preferences (
    user_id UUID NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    wanted BOOLEAN NOT NULL,
    PRIMARY KEY (user_id, kind, channel)
);
