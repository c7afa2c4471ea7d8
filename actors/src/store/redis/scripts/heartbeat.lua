-- KEYS: the lease of this node's name, the nodes, what this node tells of itself. ARGV: this node's
-- key, lease in s, life of the nodes' set in s, what it tells, seconds without a beat after which a name is free, and, in a life of
-- the store that is new to it, the nodes that it knew in the one before, each with the end of its lease: the store may know of some
-- of them no more, and somebody has to clean up after those that have died.
-- Returns {whether this node was known, the key of another that has the name or '', when its lease was
-- renewed in Unix ms, the keys of dead nodes, the others with the ends of their leases}.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local lease = tonumber(ARGV[2])
local holder, renewed = redis.call('GET', KEYS[1]) or ARGV[1], 0
if holder ~= ARGV[1] then
  renewed = (tonumber(redis.call('ZSCORE', KEYS[2], holder)) or 0) - lease
  if now - renewed >= tonumber(ARGV[5]) then
    -- It has stopped, and this one takes its place: what it left is removed at once.
    redis.call('ZADD', KEYS[2], 'XX', 0, holder)
    holder = ARGV[1]
  end
end
if holder == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
local known = (tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1])) or 0) > 0
-- Longer than the lease: who cleans up after it says whom it was.
redis.call('SET', KEYS[3], ARGV[4], 'EX', 6 * lease)
redis.call('ZADD', KEYS[2], string.format('%.6f', now + lease), ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[3])
for i = 6, #ARGV, 2 do redis.call('ZADD', KEYS[2], 'NX', ARGV[i + 1], ARGV[i]) end
local dead = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - 1)
return {known and 1 or 0, holder ~= ARGV[1] and holder or '', math.floor(renewed * 1000), dead,
  redis.call('ZRANGEBYSCORE', KEYS[2], now, '+inf', 'WITHSCORES')}
