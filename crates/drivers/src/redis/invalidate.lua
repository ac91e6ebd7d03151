-- Invalidates tags, or all there is.
-- KEYS: 1 the clock of invalidations
-- ARGV: 1 what keys of tags begin with  2 how long a clock is kept, in ms  3 an epoch nobody has used for everything,
--       else nothing  4 … tags
if ARGV[3] ~= '' then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[3], 'now', 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  -- The next to look begins a new epoch, in which nothing of before holds.
  return 1
end
local now = redis.call('HINCRBY', KEYS[1], 'now', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for i = 4, #ARGV do
  -- A tag without a stamp has no entries that hold.
  redis.call('SET', ARGV[1] .. ARGV[i], string.format('%.0f', now), 'XX', 'KEEPTTL')
end
return 1
