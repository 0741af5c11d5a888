-- model_forecast.sql
--		The forecasts of the golden models, one line each: name, then numbers.
--		Expects them in the registry by these names, and the rows of model_source.sql.

SELECT concat_ws('|', 'golden_plain, lstm.predict', (
	SELECT string_agg(p::text, '|' ORDER BY i) FROM unnest(lstm.predict(model, history, 3)) WITH ORDINALITY AS v (p, i)))
FROM lstm.model_values,
	(SELECT array_agg(ARRAY[y, x] ORDER BY t) AS history FROM golden_plain WHERE t BETWEEN 101 AND 130) AS h
WHERE name = 'golden_plain';

-- Values and bounds.
SELECT concat_ws('|', name || ', lstm.forecast', string_agg(concat_ws('|', coalesce(series, '-'), target, forecast_value,
	prediction_interval_lower_bound, prediction_interval_upper_bound), '|' ORDER BY series COLLATE "C", target, step))
FROM (VALUES ('golden_plain', 3), ('golden_series', 6), ('golden_months', 4), ('golden_joint', 5)) AS m (name, horizon),
	lstm.forecast(name, source => name, horizon => m.horizon, confidence_level => 0.8)
GROUP BY name ORDER BY name COLLATE "C";

SELECT concat_ws('|', name || ', lstm.evaluate', count(*), sum(n), avg(mae), avg(rmse), avg(coverage))
FROM (VALUES ('golden_plain'), ('golden_series'), ('golden_months'), ('golden_joint')) AS m (name),
	lstm.evaluate(name, source => name, stride => 13)
GROUP BY name ORDER BY name COLLATE "C";
