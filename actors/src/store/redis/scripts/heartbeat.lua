-- KEYS: this node's lease, the nodes. ARGV: this node's key, lease in s, prefix of the sets of what nodes joined, life of
-- the nodes' set in s, how many memberships of dead nodes to remove at most. Returns whether the lease was held.
local held = redis.call('GET', KEYS[1]) == ARGV[1]
local now = tonumber(redis.call('TIME')[1])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[2]), ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[4])
-- A node that died cannot leave its groups: whoever is alive does it, a share at each beat.
local share = tonumber(ARGV[5])
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - 1)) do
  local joined = ARGV[3] .. node
  local left = redis.call('SPOP', joined, share)
  for _, entry in ipairs(left) do
    local key, member = string.match(entry, '^(%S+) (%S+)$')
    redis.call('ZREM', key, member)
  end
  share = share - #left
  if redis.call('EXISTS', joined) == 0 then redis.call('ZREM', KEYS[2], node) end
  if share <= 0 then break end
end
return held and 1 or 0
