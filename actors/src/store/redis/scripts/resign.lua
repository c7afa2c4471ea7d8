-- KEYS: the lease of this node's name, the nodes, what this node tells of itself, what it joined, its sessions. ARGV: this
-- node's key.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('DEL', KEYS[3])
-- What is left over is for the others to remove.
if redis.call('EXISTS', KEYS[4], KEYS[5]) > 0 then
  redis.call('ZADD', KEYS[2], 0, ARGV[1])
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
