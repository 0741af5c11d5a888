SELECT lstm.predict(model, values, 24) FROM lstm.model_values, history WHERE name = 'latency';
