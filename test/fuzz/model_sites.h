/*
 * model_sites.h
 *		Mutants of what a model says about the places of its series.
 *
 * For fuzz_model.c, which includes it once, among its mutants made by hand.
 */
#ifndef MODEL_SITES_H
#define MODEL_SITES_H

/* Replacements in the header of base 4: where the series are. */
static void
sites_are_judged(void)
{
	static const struct
	{
		const char *from,
				   *to;
		Verdict		verdict;
	}			texts[] = {
		{"[0,1,2]", "[2,0,1]", ACCEPT},
		{"[0,1,2]", "[0,1,3]", REJECT},
		{"[0,1,2]", "[0,1,4294967296]", REJECT},
		{"[0,1,2]", "[0,1,-1]", REJECT},
		{"[0,1,2]", "[0,1,0.5]", REJECT},
		{"[0,1,2]", "[0,1]", REJECT},
		{"[0,1,2]", "[0,1,2,0]", REJECT},
		{"[0,1,2]", "[0,1,1]", REJECT},
		{"[0,1,2]", "[0,1,null]", REJECT},
		{"[0,1,2]", "{" Q "a" Q ":0," Q "b" Q ":1," Q "c" Q ":2}", REJECT},
		{Q "010100000000000A" Q, Q "010100000000000F" Q, ACCEPT},
		{Q "010100000000000A" Q, Q "010100000000000a" Q, REJECT},
		{Q "010100000000000A" Q, Q "01010000000000A" Q, REJECT},
		{Q "010100000000000A" Q, Q "0101000A" Q, REJECT},
		{Q "010100000000000A" Q, Q Q, REJECT},
		{Q "010100000000000A" Q, "5", REJECT},
		{Q "010100000000000A" Q ",", "", REJECT},
		{Q "geography" Q ":false", Q "geography" Q ":true", ACCEPT},
		{Q "geography" Q ":false", Q "geography" Q ":null", REJECT},
		{Q "geography" Q ":false", Q "geography" Q ":0", REJECT},
		{Q "place" Q, Q "there" Q, ACCEPT},
		{Q "place" Q, Q Q, REJECT},
		{Q "place" Q, "null", REJECT},
		{Q "column" Q, Q "colour" Q, REJECT},
		{"\"sites\":", "\"places\":", REJECT},
		{"\"sites\":\"{", "\"sites\":\"[", REJECT},
		{Q "grid_rows" Q ":0", Q "grid_rows" Q ":1", ACCEPT},
		{Q "grid_rows" Q ":0", Q "grid_rows" Q ":2", REJECT},
		{Q "grid_rows" Q ":0", Q "grid_rows" Q ":4", REJECT},
		{Q "hexagonal" Q ":false", Q "hexagonal" Q ":true", REJECT},
		{Q "pad" Q ":false", Q "pad" Q ":true", REJECT},
		{Q "sites" Q ":3", Q "sites" Q ":4", ACCEPT},
		{Q "sites" Q ":3", Q "sites" Q ":2", REJECT},
		{Q "sites" Q ":3", Q "sites" Q ":0", REJECT},
		{Q "sites" Q ":3", Q "sites" Q ":262145", REJECT},
	};
	size_t		begin,
				end;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		file_copy(&mutant, &bases[4]);
		header_replace(&mutant, texts[i].from, texts[i].to);
		trial(label("%s for %s", texts[i].to, texts[i].from), &mutant, texts[i].verdict);
	}

	/* Without places, sites are numbers only; without sites too, they are nothing. */
	file_copy(&mutant, &bases[4]);
	begin = header_find(&mutant, 0, "[" Q "0101");
	end = header_find(&mutant, begin, "]");
	header_splice(&mutant, begin, end + 1 - begin, "null");
	trial("a column of no places", &mutant, REJECT);
	header_replace(&mutant, Q "place" Q, Q Q);
	trial("no places", &mutant, ACCEPT);
	begin = header_find(&mutant, 0, ",\"sites\":");
	end = header_find(&mutant, begin, "}\"");
	header_splice(&mutant, begin, end + 2 - begin, "");
	trial("no sites", &mutant, REJECT);

	/* One series after the other, with places and without. */
	file_copy(&mutant, &bases[1]);
	begin = header_find(&mutant, 0, ",\"data\":");
	header_splice(&mutant, begin, 0, ",\"sites\":\"{" Q "site" Q ":[0,0,0]," Q "column" Q ":" Q "p" Q ","
				  Q "geography" Q ":true," Q "geom" Q ":[" Q "0101000000" Q "," Q "0101000000" Q ","
				  Q "0101000000" Q "]}\"");
	trial("places of series", &mutant, ACCEPT);
	file_copy(&mutant, &bases[1]);
	header_splice(&mutant, begin, 0, ",\"sites\":\"{" Q "site" Q ":[0,0,0]," Q "column" Q ":" Q Q ","
				  Q "geography" Q ":true," Q "geom" Q ":null}\"");
	trial("places of nothing", &mutant, REJECT);
}

#endif							/* MODEL_SITES_H */
