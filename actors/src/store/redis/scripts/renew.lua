-- KEYS: the answer, its text, the leases. ARGV: answer, lease in s, life in s, offset in bytes, text from there
-- on, channel, what the other nodes are told (empty: nothing), the worker's queue (empty: it is not told of this), what is put there.
-- Returns 1, 0 when it has ended, -1 when it is not known to be written, or not as far as the offset. Writing at an offset may be repeated.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'ended' then return 0 end
if state ~= 'running' or redis.call('STRLEN', KEYS[2]) < tonumber(ARGV[4]) then return -1 end
local until_s = tonumber(redis.call('TIME')[1]) + tonumber(ARGV[2])
redis.call('ZADD', KEYS[3], until_s, ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[3])
if ARGV[5] ~= '' then redis.call('SETRANGE', KEYS[2], ARGV[4], ARGV[5]) end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
if ARGV[8] ~= '' then
  redis.call('XADD', ARGV[8], 'MAXLEN', '~', 1000000, '*', 't', ARGV[9])
  redis.call('EXPIRE', ARGV[8], ARGV[3])
end
if ARGV[7] ~= '' then redis.call('PUBLISH', ARGV[6], ARGV[7]) end
return 1
