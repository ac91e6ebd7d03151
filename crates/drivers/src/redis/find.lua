-- Looks for an entry, and whether it still holds.
-- KEYS: 1 the clock of invalidations  2 the entry
-- ARGV: 1 what keys of tags begin with  2 an epoch nobody has used  3 how long a clock is kept, in ms
-- Answers {tags, data, meta, etag, times}, or {epoch, generation} for the fill that begins now.
local clock = redis.call('HMGET', KEYS[1], 'epoch', 'now')
if not clock[1] or not clock[2] then
  -- Nothing is known of what was invalidated, so nothing that was kept before holds.
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'now', 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return {ARGV[2], '1'}
end

local entry = redis.call('HMGET', KEYS[2], 'epoch', 'began', 'tags', 'data', 'meta', 'etag', 'times')
if entry[1] ~= clock[1] then
  return clock
end
local began, keys = tonumber(entry[2]), {}
for tag in string.gmatch(entry[3], '%x+') do
  keys[#keys + 1] = ARGV[1] .. tag
end
if #keys > 0 then
  for _, stamp in ipairs(redis.call('MGET', unpack(keys))) do
    -- A tag whose stamp is gone may have been invalidated.
    if not stamp or tonumber(stamp) > began then
      return clock
    end
  end
end
return {entry[3], entry[4], entry[5], entry[6], entry[7]}
