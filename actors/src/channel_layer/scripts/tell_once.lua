-- Writes a message into a plain channel unless its token was told there. KEYS: channel, the tokens that were told there.
-- ARGV: score, life in seconds, how many may wait, message, its token, how many tokens are remembered. Returns 0 when it is full.
if redis.call('ZSCORE', KEYS[2], ARGV[5]) then return 1 end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[2], redis.call('TIME')[1], ARGV[5])
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[6]))
return 1
