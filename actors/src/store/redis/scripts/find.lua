-- KEYS: the answer, its text. ARGV: answer, from which byte of its text, how many at most. Returns {answer, group, message,
-- node, model, how it came about, bytes of its text in all, those that were asked for, whether the model thought of it}, or nothing if it is not being written.
local known = redis.call('HMGET', KEYS[1], 'state', 'group', 'message', 'node', 'model', 'cache')
if known[1] ~= 'running' then return false end
local piece = redis.call('GETRANGE', KEYS[2], ARGV[2], ARGV[2] + ARGV[3] - 1)
return {ARGV[1], known[2], known[3], known[4], known[5] or '', known[6] or '', redis.call('STRLEN', KEYS[2]), piece, redis.call('EXISTS', KEYS[1] .. ':reasoning')}
