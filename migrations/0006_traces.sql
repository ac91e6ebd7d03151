-- The span in which an event was appended or a job was queued, as a W3C `traceparent`, where that was traced: so that what
-- a job does stands below the request that wanted it.
ALTER TABLE events ADD COLUMN trace TEXT;
ALTER TABLE jobs ADD COLUMN trace TEXT;
