-- KEYS: the answer, its text. ARGV: answer. Returns what running.lua says of each, or nothing.
local known = redis.call('HMGET', KEYS[1], 'state', 'group', 'message', 'node', 'model', 'cache')
if known[1] ~= 'running' then return {} end
return {{ARGV[1], known[2], known[3], known[4], redis.call('GET', KEYS[2]) or '', known[5] or '', known[6] or ''}}
