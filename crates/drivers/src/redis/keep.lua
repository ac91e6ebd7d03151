-- Keeps an entry, unless one of its tags was invalidated since its filling began.
-- KEYS: 1 the clock of invalidations  2 the entry
-- ARGV: 1 what keys of tags begin with  2 how long clock and tags are kept, in ms  3 epoch and 4 generation in which the
--       filling began  5 how long the entry is kept, in ms  6 tags, separated by spaces  7 data  8 meta  9 etag  10 times
-- Answers 1 when it is kept.
local clock = redis.call('HMGET', KEYS[1], 'epoch', 'now')
if clock[1] ~= ARGV[3] then
  return 0
end
local now, began, holds = tonumber(clock[2]), tonumber(ARGV[4]), true
for tag in string.gmatch(ARGV[6], '%x+') do
  local key = ARGV[1] .. tag
  local stamp = redis.call('GET', key)
  if not stamp then
    -- Whether it was invalidated is not known, unless nothing was. The next filling begins after this stamp.
    stamp = now
    redis.call('SET', key, string.format('%.0f', now), 'PX', ARGV[2])
  else
    redis.call('PEXPIRE', key, ARGV[2])
  end
  holds = holds and tonumber(stamp) <= began
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if not holds then
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'epoch', ARGV[3], 'began', ARGV[4], 'tags', ARGV[6], 'data', ARGV[7], 'meta', ARGV[8],
  'etag', ARGV[9], 'times', ARGV[10])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 1
