-- Judges and counts one attempt by GCRA, the rule of platform/src/limits/gcra.rs.
-- KEYS: 1 when the debt of a key will be paid, as "seconds nanoseconds"
-- ARGV: 1, 2 now as seconds and nanoseconds  3 what an attempt costs  4 the most that may be owed; nanoseconds
-- Answers whether it is allowed, and the debt then.
local seconds, nanos = tonumber(ARGV[1]), tonumber(ARGV[2])
local interval, burst = tonumber(ARGV[3]), tonumber(ARGV[4])

local debt = 0
local paid = redis.call('GET', KEYS[1])
if paid then
  local at_seconds, at_nanos = string.match(paid, '^(%d+) (%d+)$')
  if at_seconds then
    debt = (tonumber(at_seconds) - seconds) * 1e9 + tonumber(at_nanos) - nanos
  end
end
debt = math.min(math.max(debt, 0), burst)
if debt > burst - interval then
  return {0, debt}
end

local owed = debt + interval
local whole = math.floor(owed / 1e9)
seconds = seconds + whole
nanos = nanos + owed - whole * 1e9
if nanos >= 1e9 then
  seconds, nanos = seconds + 1, nanos - 1e9
end
-- Kept a minute longer than it is owed, for nodes whose clocks differ.
local life = math.ceil(owed / 1e6) + 60000
redis.call('SET', KEYS[1], string.format('%.0f %.0f', seconds, nanos), 'PX', string.format('%.0f', life))
return {1, owed}
