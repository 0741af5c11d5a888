/*
 * source_text.c
 *		From the text of a source to one SELECT and the columns of its result.
 *
 * Knows the grammar only through the server's own parser: a text is cut where
 * the parser says its one statement begins and ends, so trailing semicolons and
 * comments do not matter and nothing can close the parenthesis that the SELECT
 * is put into.  The columns come from a prepared, never executed statement.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/tupdesc.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "pg/source_parts.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/regproc.h"
#include "utils/varlena.h"

#define SOURCE_HINT "A source is the name of a table or view, or one SELECT."

static __attribute__((noreturn)) void
source_refuse(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg_internal("%s", message),
			 errhint(SOURCE_HINT)));
}

static const char *
blanks_skip(const char *p)
{
	while (isspace((unsigned char) *p))
		p++;
	return p;
}

/* The end of the identifier that starts at p, or NULL when none does. */
static const char *
identifier_skip(const char *p)
{
	if (*p == '"')
	{
		for (p++; *p != '\0'; p++)
		{
			if (*p != '"')
				continue;
			if (p[1] != '"')
				return p + 1;
			p++;
		}
		return NULL;
	}
	if (!isalpha((unsigned char) *p) && *p != '_' && !IS_HIGHBIT_SET(*p))
		return NULL;
	while (isalnum((unsigned char) *p) || *p == '_' || *p == '$' || IS_HIGHBIT_SET(*p))
		p++;
	return p;
}

/* Whether text is a name such as beijing, weather.beijing or "My Table". */
static bool
text_is_name(const char *text)
{
	const char *p = blanks_skip(text);

	for (;;)
	{
		p = identifier_skip(p);
		if (p == NULL)
			return false;
		p = blanks_skip(p);
		if (*p == '\0')
			return true;
		if (*p != '.')
			return false;
		p = blanks_skip(p + 1);
	}
}

/* SELECT * FROM the table of that name; error 42P01 when there is none. */
static char *
query_from_name(const char *text)
{
#if PG_VERSION_NUM >= 160000
	List	   *names = stringToQualifiedNameList(text, NULL);
#else
	List	   *names = stringToQualifiedNameList(text);
#endif
	StringInfoData query;
	ListCell   *cell;
	const char *separator = "";

	(void) RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, false);

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT * FROM ");
	foreach(cell, names)
	{
		appendStringInfo(&query, "%s%s", separator, quote_identifier(strVal(lfirst(cell))));
		separator = ".";
	}
	return query.data;
}

/* Points a syntax error into the source instead of the caller's statement. */
static void
parse_error_context(void *arg)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery((const char *) arg);
	}
	errhint(SOURCE_HINT);
}

static List *
text_parse(const char *text)
{
	ErrorContextCallback context;
	List	   *statements;

	context.callback = parse_error_context;
	context.arg = unconstify(char *, text);
	context.previous = error_context_stack;
	error_context_stack = &context;
	statements = raw_parser(text, RAW_PARSE_DEFAULT);
	error_context_stack = context.previous;
	return statements;
}

/* INTO hides in the first arm of a UNION, locks may hide in any. */
static void
select_check(const SelectStmt *select)
{
	check_stack_depth();
	if (select->intoClause != NULL)
		source_refuse("a source cannot be SELECT INTO");
	if (select->lockingClause != NIL)
		source_refuse("a source cannot lock rows (FOR UPDATE, FOR SHARE)");
	if (select->op != SETOP_NONE)
	{
		select_check(select->larg);
		select_check(select->rarg);
	}
}

/*
 * The SELECT that text means, fit to stand in FROM (...): without semicolon, a
 * newline must follow it (it may end with a comment).
 */
char *
source_query(const char *text)
{
	List	   *statements;
	RawStmt    *statement;
	int			length;

	if (*blanks_skip(text) == '\0')
		source_refuse("source is empty");
	if (text_is_name(text))
		return query_from_name(text);

	statements = text_parse(text);
	if (list_length(statements) != 1)
		source_refuse(statements == NIL ? "source is empty" :
					  "source has more than one statement");
	statement = linitial_node(RawStmt, statements);
	if (!IsA(statement->stmt, SelectStmt))
		source_refuse("source is not a SELECT");
	select_check(castNode(SelectStmt, statement->stmt));

	length = statement->stmt_len;
	if (length == 0)
		length = strlen(text) - statement->stmt_location;
	return pnstrdup(text + statement->stmt_location, length);
}

static ColumnClass
column_class(Oid base)
{
	char		category;
	bool		preferred;

	switch (base)
	{
		case TIMESTAMPTZOID:
		case TIMESTAMPOID:
		case DATEOID:
			return COLUMN_TIME;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return COLUMN_INTEGER;
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case BOOLOID:
			return COLUMN_NUMBER;
		case UUIDOID:
		case CHAROID:
			return COLUMN_ID;
		default:
			break;
	}
	if (array_type_fits(base))
		return COLUMN_ARRAY;
	get_type_category_preferred(base, &category, &preferred);
	if (category == TYPCATEGORY_STRING || category == TYPCATEGORY_ENUM ||
		category == TYPCATEGORY_NETWORK)
		return COLUMN_ID;
	return COLUMN_OTHER;
}

static SourceShape *
shape_from_descriptor(TupleDesc descriptor, MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	SourceShape *shape = palloc0(sizeof(SourceShape));

	shape->ncolumns = descriptor->natts;
	shape->column = palloc0(sizeof(ShapeColumn) * Max(descriptor->natts, 1));
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		ShapeColumn *column = &shape->column[i];

		column->name = pstrdup(NameStr(attribute->attname));
		column->type = attribute->atttypid;
		column->base = getBaseType(attribute->atttypid);
		column->class = column_class(column->base);
	}
	MemoryContextSwitchTo(before);
	return shape;
}

/* The columns of query, which is analysed and not run. */
SourceShape *
source_shape(const char *query)
{
	MemoryContext context = CurrentMemoryContext;
	SourceShape *shape;
	SPIPlanPtr	plan;
	CachedPlanSource *plan_source;
	StringInfoData text;

	SPI_connect();
	initStringInfo(&text);
	appendStringInfo(&text, "SELECT * FROM (\n%s\n) AS source", query);
	plan = SPI_prepare(text.data, 0, NULL);
	if (plan == NULL || list_length(SPI_plan_get_plan_sources(plan)) != 1)
		source_refuse("source is not one SELECT");
	plan_source = linitial(SPI_plan_get_plan_sources(plan));
	shape = shape_from_descriptor(plan_source->resultDesc, context);
	SPI_finish();
	return shape;
}

/* "a", "b", "c" */
char *
names_join(const char *const *names, int count)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < count; i++)
		appendStringInfo(&text, "%s\"%s\"", i == 0 ? "" : ", ", names[i]);
	return text.data;
}

int
identifier_list_split(const char *text, const char *what, char ***names)
{
	List	   *list = NIL;
	ListCell   *cell;
	int			count = 0;

	*names = NULL;
	if (text == NULL)
		return 0;
	if (!SplitIdentifierString(pstrdup(text), ',', &list))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s is not a list of column names: %s", what, text),
				 errhint("Separate names by commas; put names with blanks, upper case or other "
						 "characters into double quotes.")));
	if (list == NIL)
		return 0;

	*names = palloc(sizeof(char *) * list_length(list));
	foreach(cell, list)
		(*names)[count++] = lfirst(cell);
	return count;
}
