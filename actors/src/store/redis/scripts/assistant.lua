-- ARGV from 6: group, '1' or '0'.
open(ARGV[6])
redis.call('HSET', group_key(ARGV[6]), 'assistant', ARGV[7])
