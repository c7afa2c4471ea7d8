-- KEYS: the orders. ARGV: the order after which they are wanted, or '' for none; how many at most.
-- Returns {the newest, the server's Unix ms, the orders}.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not newest then return {'0-0', now, {}} end
local after = ARGV[1]
if after == '' then return {newest[1], now, {}} end
local function parts(id)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(n)
end
local ms, n = parts(newest[1])
local after_ms, after_n = parts(after)
-- A server that came back empty, and whose clock is behind: its orders are all new.
if ms < after_ms or (ms == after_ms and n < after_n) then after = '0-0' end
return {newest[1], now, redis.call('XRANGE', KEYS[1], '(' .. after, '+', 'COUNT', ARGV[2])}
