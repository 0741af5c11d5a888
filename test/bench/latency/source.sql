SELECT * FROM lstm.forecast('latency', source => 'SELECT t, y FROM reading WHERE y > 0');
