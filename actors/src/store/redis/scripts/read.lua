-- ARGV from 6: group, 'after' or 'before', the seq to begin with, and how many events and bytes at most. Returns as page() does.
return page(ARGV[6], ARGV[7] == 'before', ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]))
