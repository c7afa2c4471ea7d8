-- ARGV from 3: node, 1 if what has not changed is renewed too, then each session and its row as JSON, or '' if it has none
-- any more.
for i = 5, #ARGV, 2 do
  present(ARGV[3], ARGV[i], ARGV[i + 1] ~= '' and ARGV[i + 1] or nil, ARGV[4] == '1')
end
