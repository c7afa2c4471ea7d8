-- KEYS: the answer, the answers being written for its group. ARGV: answer, life in s, model, how it came about, channel,
-- what the other nodes are told, the worker's queue (empty: it is not told of this), what is put there. Returns 1, 0 when it has ended, -1 when it is not known.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'ended' then return 0 end
if not state then return -1 end
redis.call('HSET', KEYS[1], 'model', ARGV[3], 'cache', ARGV[4])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
if ARGV[7] ~= '' then
  redis.call('XADD', ARGV[7], 'MAXLEN', '~', 1000000, '*', 't', ARGV[8])
  redis.call('EXPIRE', ARGV[7], ARGV[2])
end
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 1
