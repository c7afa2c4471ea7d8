-- KEYS: the session. ARGV: what may be joined (JSON), 'at', 'now' or 'again', since when in Unix seconds, life in s, until
-- when it is good ('': without an end).
-- Notes it if it is newer than what is known; see rights.rs, whose rule this is. Returns the whole record.
local key, rights, how = KEYS[1], ARGV[1], ARGV[2]
local now = tonumber(redis.call('TIME')[1])
local at = math.min(tonumber(ARGV[3]), now)
local before = redis.call('HMGET', key, 'granted', 'until')
local known, ended = tonumber(before[1] or ''), tonumber(before[2] or '')
if ended and ended <= now then known = nil end
-- A clock that was set back must not keep what is known for ever.
known = known and math.min(known, now)
if how == 'now' then at = now end
local newer = not known or at > known or (at == known and how ~= 'again')
if newer then redis.call('HSET', key, 'rights', rights, 'granted', string.format('%.0f', at), 'until', ARGV[5]) end
redis.call('EXPIRE', key, ARGV[4])
return redis.call('HGETALL', key)
