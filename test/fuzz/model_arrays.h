/*
 * model_arrays.h
 *		Mutants of what a model says about its array columns.
 *
 * For fuzz_model.c, which includes it once, among its mutants made by hand.
 */
#ifndef MODEL_ARRAYS_H
#define MODEL_ARRAYS_H

#define ARRAY(name, rows, cols, channels) "{" Q "name" Q ":" name "," Q "rows" Q ":" rows "," \
	Q "cols" Q ":" cols "," Q "channels" Q ":" channels "}"
#define VECTOR ARRAY(Q "v" Q, "1", "1", "2")
#define IMAGE ARRAY(Q "image" Q, "2", "3", "1")

/* Replacements in the header of base 5. */
static void
arrays_are_judged(void)
{
	static const struct
	{
		const char *from,
				   *to;
		Verdict		verdict;
	}			texts[] = {
		{IMAGE, ARRAY(Q "image" Q, "3", "2", "1"), ACCEPT},
		{IMAGE, ARRAY(Q "image" Q, "0", "3", "1"), REJECT},
		{IMAGE, ARRAY(Q "image" Q, "2", "4", "1"), REJECT},
		{IMAGE, ARRAY(Q "image" Q, "2.5", "3", "1"), REJECT},
		{IMAGE, ARRAY(Q "image" Q, "-2", "3", "1"), REJECT},
		{IMAGE, ARRAY(Q "image" Q, "2", "3", "2"), REJECT},
		{IMAGE, ARRAY(Q "image" Q, "262144", "262144", "262144"), REJECT},
		{IMAGE, ARRAY(Q "image" Q, "4294967296", "3", "1"), REJECT},
		{IMAGE, ARRAY(Q "image" Q, "2", Q "3" Q, "1"), REJECT},
		{IMAGE, ARRAY(Q "picture" Q, "2", "3", "1"), REJECT},
		{IMAGE, ARRAY(Q "v" Q, "2", "3", "1"), REJECT},
		{IMAGE, ARRAY(Q "past" Q, "2", "3", "1"), REJECT},
		{IMAGE, ARRAY(Q "gru" Q, "2", "3", "1"), REJECT},
		{IMAGE, ARRAY("null", "2", "3", "1"), REJECT},
		{IMAGE, ARRAY("5", "2", "3", "1"), REJECT},
		{IMAGE, "null", REJECT},
		{IMAGE, "[]", REJECT},
		{IMAGE, "{}", REJECT},
		{"," IMAGE, "", REJECT},
		{"," IMAGE, "," IMAGE "," IMAGE, REJECT},
		{"," IMAGE, "," IMAGE "," ARRAY(Q "more" Q, "1", "1", "1"), REJECT},
		{Q "rows" Q ":2", Q "rows" Q ":2," Q "more" Q ":1", REJECT},
		{Q "rows" Q ":2", Q "lines" Q ":2", REJECT},
		{VECTOR, ARRAY(Q "v" Q, "1", "1", "3"), REJECT},
		{"[" VECTOR "," IMAGE "]", "null", REJECT},
		{"[" VECTOR "," IMAGE "]", "5", REJECT},
		{"[" VECTOR "," IMAGE "]", "[]", REJECT},
		{Q "sites" Q ":1", Q "sites" Q ":2", REJECT},
		{Q "lags" Q ":[2,1]", Q "lags" Q ":[1,4,2]", ACCEPT},
		{Q "lags" Q ":[2,1]", Q "lags" Q ":[2,5]", REJECT},
		{Q "lags" Q ":[2,1]", Q "lags" Q ":[0]", REJECT},
		{Q "lags" Q ":[2,1]", Q "lags" Q ":[]", REJECT},
		{Q "lags" Q ":[2,1]", Q "lags" Q ":[1.5]", REJECT},
		{Q "lags" Q ":[2,1]", Q "lags" Q ":2", REJECT},
		{Q "fusion" Q ":" Q "gated" Q, Q "fusion" Q ":" Q "weighted" Q, REJECT},
		{Q "fusion" Q ":" Q "gated" Q, Q "fusion" Q ":" Q "melted" Q, REJECT},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		file_copy(&mutant, &bases[5]);
		header_replace(&mutant, texts[i].from, texts[i].to);
		trial(label("%s for %s", texts[i].to, texts[i].from), &mutant, texts[i].verdict);
	}
}

#endif							/* MODEL_ARRAYS_H */
