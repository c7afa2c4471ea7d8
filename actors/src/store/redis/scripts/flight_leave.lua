-- ARGV: the flight's id, this node: it follows no longer.
if redis.call('HGET', KEYS[1], 'id') == ARGV[1] then redis.call('HDEL', KEYS[1], 'node:' .. ARGV[2]) end
return 1
