-- How many workers a job has outlived, apart from the attempts that failed by themselves.
ALTER TABLE jobs ADD COLUMN deaths BIGINT NOT NULL DEFAULT 0;
