SELECT * FROM lstm.forecast('latency_auto');
