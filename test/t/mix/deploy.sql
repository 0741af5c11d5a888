SELECT lstm.deploy('mix', version) FROM (SELECT version FROM mix_answer ORDER BY random() LIMIT 1) picked;
