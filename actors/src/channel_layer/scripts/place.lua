-- Puts a message there that was taken elsewhere, once. KEYS: channel, the last one that was put there so. ARGV: the name of the
-- move, score, message, life in s.
if redis.call('GET', KEYS[2]) == ARGV[1] then return end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[4])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
