SELECT * FROM lstm.forecast('latency');
