\set seed random(3, 2000000000)
SELECT mix_train(:seed, :client_id % 2 = 0);
