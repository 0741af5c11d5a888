INSERT INTO mix_seen SELECT version, d FROM mix_digest() d LEFT JOIN mix_answer ON digest = d;
