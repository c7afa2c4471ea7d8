-- ARGV from 6: group, '1' or '0'.
open(ARGV[6])
redis.call('HSET', group_key(ARGV[6]), 'assistant', ARGV[7])
-- What an operator decided outlasts the silence of the group.
redis.call('EXPIRE', group_key(ARGV[6]), group_life)
