-- KEYS: this node's lease, the nodes. ARGV: this node's key, prefix of the sets of what nodes joined.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
-- Memberships that are left over are for the others to remove.
if redis.call('EXISTS', ARGV[2] .. ARGV[1]) == 1 then
  redis.call('ZADD', KEYS[2], 0, ARGV[1])
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
