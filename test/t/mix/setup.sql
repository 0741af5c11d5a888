-- One model that is forecast, trained anew, retrained on new rows and deployed all the time.  Forecasts are
-- those of one moment, so that a version has one answer whatever rows come.
--
-- What a version says is written down by the transaction that makes the version, at its end,
-- whoever trains.  So whoever sees a version sees its answer.
SET client_min_messages = error;
SET lstm.progress = 0;
CREATE TABLE mix_reading (t timestamptz PRIMARY KEY, y float8);
INSERT INTO mix_reading
SELECT '2020-01-01 00:00+00'::timestamptz + i * interval '1 hour', 100 + 20 * sin(i * pi() / 12) + hashint4(i) / 7e8 FROM generate_series(0, 1999) i;
ANALYZE mix_reading;
CREATE TABLE mix_answer (version int PRIMARY KEY, digest text UNIQUE);
-- A forecast that is no version's answer has no version: an error.
CREATE UNLOGGED TABLE mix_seen (version int NOT NULL, digest text);

CREATE FUNCTION mix_digest(version int DEFAULT NULL) RETURNS text LANGUAGE sql STABLE AS
$$SELECT md5(string_agg(f::text, ' ' ORDER BY step)) FROM lstm.forecast('mix', version => version, as_of => '2020-03-24 07:00+00') f$$;
CREATE FUNCTION mix_note() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN INSERT INTO mix_answer VALUES (NEW.version, mix_digest(NEW.version)) ON CONFLICT (digest) DO NOTHING; RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER mix_note AFTER INSERT ON lstm.model_values DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW WHEN (NEW.name = 'mix') EXECUTE FUNCTION mix_note();
CREATE FUNCTION mix_train(seed int, deploy bool) RETURNS int LANGUAGE sql SET client_min_messages = error AS
$$SELECT version FROM lstm.train('mix', 'mix_reading', horizon => 24, context => 24,
	options => jsonb_build_object('units', 4, 'epochs', 1, 'steps_per_epoch', 5, 'seed', seed, 'deploy', deploy))$$;
SELECT mix_train(1, true);
SELECT mix_train(2, false);
