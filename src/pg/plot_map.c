/*
 * plot_map.c
 *		lstm.map_picture: values at places as a map, which lstm.plot_map calls.
 *
 * Knows coordinates and numbers; the geometry has become vertices in SQL.  Colours are
 * those of viridis (Nathaniel Smith and Stefan van der Walt 2015, matplotlib, CC0): evenly
 * ordered in lightness, so that it reads in grey and with every kind of colour vision.
 * Places of one colour share an element; vertices nearer than half a pixel to the one
 * before are left out.  10,000 squares make about 0.6 MB.  Linear in the vertices.
 *
 * Longitude and latitude are drawn with the middle latitude's scale both ways
 * (equirectangular), places on both sides of the antimeridian side by side.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/env.h"
#include "pg/model_run.h"
#include "pg/plot.h"
#include "pg/plot_axes.h"

PG_FUNCTION_INFO_V1(lstm_map_picture);

enum
{
	ARG_TITLE, ARG_LABEL, ARG_GEOGRAPHIC, ARG_UNIT, ARG_SERIES, ARG_VALUE, ARG_PLACE, ARG_RING,
	ARG_KIND, ARG_X, ARG_Y, ARG_CELL_X, ARG_CELL_Y
};

#define MAP_MOST_WIDE 680
#define MAP_MOST_HIGH 560
#define MAP_LEAST_HIGH 220
#define MAP_BAR 16
#define MAP_COLOURS 48

/* Above so many places none has a text of its own that browsers show under the pointer. */
#define MAP_TITLES 2000
#define MAP_NAMES 40

#define METRES_PER_DEGREE 111195.0	/* 6,371 km x pi / 180 */

/* What a place is, as ST_Dimension counts. */
enum
{
	KIND_POINT, KIND_LINE, KIND_AREA
};

typedef struct Map
{
	const NnEnv *env;
	const char *title, *label;
	bool		geographic;
	double		unit;			/* metres of a unit of x and y; NaN: unknown */
	uint32		nplaces;
	char	  **series;			/* [nplaces] */
	double	   *value;			/* [nplaces] NaN: unknown */
	uint32		nvertices;		/* those of a place follow each other */
	int32	   *place, *ring, *kind;	/* [nvertices] place from 1 */
	double	   *x, *y;			/* [nvertices], pixels once map_project ran */
	double		cell_x, cell_y; /* points are cells of that size, first in units, then in pixels;
								 * 0: dots */
	uint32	   *first;			/* [nplaces + 1] first vertex of each */
	double		scale;			/* pixels of a unit, at the middle */
	double		low, high;		/* of the colours */
} Map;

/* ------------------------------------------------------------------------
 * Colours
 */

/* Part 0 .. 1 of viridis, between nine of its 256 colours. */
static void
colour_print(char out[8], double part)
{
	static const uint8 stops[9][3] = {
		{68, 1, 84}, {71, 45, 123}, {59, 82, 139}, {44, 114, 142}, {33, 145, 140}, {40, 174, 128},
		{94, 201, 98}, {173, 220, 48}, {253, 231, 37}
	};
	int			i = Min((int) (part * 8), 7);
	double		rest = part * 8 - i;
	uint8		rgb[3];

	for (int c = 0; c < 3; c++)
		rgb[c] = (uint8) rint(stops[i][c] + (stops[i + 1][c] - stops[i][c]) * rest);
	snprintf(out, 8, "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
}

/* Which of the colours a value has; MAP_COLOURS: none, as it is unknown. */
static uint32
colour_of(const Map *map, double value)
{
	double		span = map->high / 2 - map->low / 2;
	double		part = span > 0 ? (value / 2 - map->low / 2) / span : 0.5;

	if (!isfinite(value))
		return MAP_COLOURS;
	return Min((uint32) (Max(part, 0) * MAP_COLOURS), MAP_COLOURS - 1);
}

/* ------------------------------------------------------------------------
 * Places
 */

/* Where each place's vertices begin; error 22023 unless they are in order. */
static void
vertices_check(Map *map)
{
	uint32		p = 0;

	map->first = NN_NEW_ARRAY(map->env, uint32, (size_t) map->nplaces + 1);
	for (uint32 i = 0; i < map->nvertices; i++)
	{
		int32		place = map->place[i];

		if (place < 1 || (uint32) place > map->nplaces || (i > 0 && place < map->place[i - 1]) ||
			map->kind[i] < KIND_POINT || map->kind[i] > KIND_AREA || !isfinite(map->x[i]) ||
			!isfinite(map->y[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("vertex %u is of place %d of %u at %g, %g, out of order or range", i + 1, place,
							map->nplaces, map->x[i], map->y[i])));
		while (p < (uint32) place)
			map->first[p++] = i;
	}
	while (p <= map->nplaces)
		map->first[p++] = map->nvertices;
}

/* Brings together what the antimeridian parts. */
static void
longitudes_shift(Map *map)
{
	double		low = INFINITY,
				high = -INFINITY,
				east = INFINITY,
				west = -INFINITY;

	plot_range(&low, &high, map->nvertices, map->x);
	for (uint32 i = 0; i < map->nvertices; i++)
		if (map->x[i] >= 0)
			east = Min(east, map->x[i]);
		else
			west = Max(west, map->x[i]);
	if (high - low <= 180 || west + 360 - east >= high - low)
		return;
	for (uint32 i = 0; i < map->nvertices; i++)
		if (map->x[i] < 0)
			map->x[i] += 360;
}

static bool
map_has(const Map *map, int kind)
{
	for (uint32 i = 0; i < map->nvertices; i++)
		if (map->kind[i] == kind)
			return true;
	return false;
}

/* Makes coordinates pixels within a frame whose size follows from them. */
static void
map_project(Map *map, PlotFrame *frame)
{
	double		x0 = INFINITY,
				x1 = -INFINITY,
				y0 = INFINITY,
				y1 = -INFINITY,
				squeeze = 1,
				pad = Max(map->cell_x, map->cell_y) / 2,
				wide,
				high,
				most_wide = MAP_MOST_WIDE,
				most_high = MAP_MOST_HIGH;

	if (map->geographic)
		longitudes_shift(map);
	plot_range(&x0, &x1, map->nvertices, map->x);
	plot_range(&y0, &y1, map->nvertices, map->y);
	if (map->geographic)
		squeeze = Max(cos((y0 + y1) / 2 * M_PI / 180), 0.05);
	/* Dots and their names want a margin, cells their half. */
	if (pad == 0 && map_has(map, KIND_POINT))
		pad = Max((x1 - x0) * squeeze, y1 - y0) * 0.06;
	if (pad == 0 && x0 == x1 && y0 == y1)
		pad = map->geographic ? 0.05 : Max(fabs(x0), Max(fabs(y0), 1)) * 1e-3;
	wide = (x1 - x0) * squeeze + 2 * pad;
	high = y1 - y0 + 2 * pad;
	map->scale = Min(most_wide / wide, most_high / high);
	frame->left = PLOT_MARGIN;
	frame->right = frame->left + Max(wide * map->scale, 300);
	frame->bottom = frame->top + Max(high * map->scale, MAP_LEAST_HIGH);
	for (uint32 i = 0; i < map->nvertices; i++)
	{
		map->x[i] = (frame->left + frame->right) / 2 + (map->x[i] - (x0 + x1) / 2) * squeeze * map->scale;
		map->y[i] = (frame->top + frame->bottom) / 2 - (map->y[i] - (y0 + y1) / 2) * map->scale;
	}
	map->cell_x *= squeeze * map->scale;
	map->cell_y *= map->scale;
}

/* ------------------------------------------------------------------------
 * Drawing places
 */

/* The vertices from..to - 1 as a path, those within half a pixel left out. */
static void
path_append(NnText *svg, const Map *map, uint32 from, uint32 to)
{
	double		x = NAN,
				y = NAN;

	for (uint32 i = from; i < to; i++)
	{
		bool		begins = i == from || map->ring[i] != map->ring[i - 1];

		if (!begins && fabs(map->x[i] - x) < 0.5 && fabs(map->y[i] - y) < 0.5)
			continue;
		if (begins && i > from && map->kind[from] == KIND_AREA)
			nn_text_print(svg, "Z");
		x = map->x[i];
		y = map->y[i];
		nn_text_print(svg, "%c%.1f,%.1f", begins ? 'M' : 'L', x, y);
	}
	if (map->kind[from] == KIND_AREA)
		nn_text_print(svg, "Z");
}

/* Radius of dots: neighbours do not hide each other where they are many. */
static double
dot_radius(const Map *map)
{
	return Max(2, Min(7, 150 / sqrt((double) map->nplaces + 1)));
}

static void
place_title(NnText *svg, const Map *map, uint32 p)
{
	nn_text_print(svg, "<title>");
	plot_escape(svg, map->series[p]);
	if (!isfinite(map->value[p]))
		nn_text_print(svg, ": no forecast</title>");
	else
		nn_text_print(svg, ": %.4g</title>", map->value[p]);
}

/* One place; those that need no title of their own are put together by places_draw. */
static void
place_append(NnText *svg, const Map *map, uint32 p)
{
	uint32		from = map->first[p],
				to = map->first[p + 1];

	if (map->kind[from] != KIND_POINT)
	{
		path_append(svg, map, from, to);
		return;
	}
	for (uint32 i = from; i < to; i++)
	{
		double		r = dot_radius(map);

		if (map->cell_x > 0)
			nn_text_print(svg, "M%.1f,%.1fh%.1fv%.1fh-%.1fZ", map->x[i] - map->cell_x / 2,
						  map->y[i] - map->cell_y / 2, map->cell_x, map->cell_y, map->cell_x);
		else
			nn_text_print(svg, "M%.1f,%.1fa%.1f,%.1f,0,1,0,%.1f,0a%.1f,%.1f,0,1,0,-%.1f,0Z",
						  map->x[i] - r, map->y[i], r, r, 2 * r, r, r, 2 * r);
	}
}

/*
 * Above so many places areas have no edges of their own, and no smoothed ones either: where
 * two of those touch, the page would shine through.
 */
#define MAP_EDGES 100

static const char *
kind_style(const Map *map, int kind)
{
	if (kind == KIND_LINE)
		return "fill=\"none\" stroke-width=\"3\" stroke-linecap=\"round\" stroke-linejoin=\"round\"";
	if (kind == KIND_POINT && map->cell_x == 0)
		return "class=\"edge\"";
	return map->nplaces <= MAP_EDGES ? "class=\"edge\" fill-rule=\"evenodd\"" :
		"shape-rendering=\"crispEdges\" fill-rule=\"evenodd\"";
}

/* All places of one kind and colour. */
static void
places_draw_colour(NnText *svg, const Map *map, int kind, uint32 colour, const uint32 *which,
				   uint32 n)
{
	bool		titles = map->nplaces <= MAP_TITLES;
	char		word[8] = "none";

	if (n == 0)
		return;
	if (colour < MAP_COLOURS)
		colour_print(word, (colour + 0.5) / MAP_COLOURS);
	if (colour == MAP_COLOURS)
		nn_text_print(svg, "<g class=\"unknown\">");
	else
		nn_text_print(svg, "<g %s %s=\"%s\">", kind_style(map, kind),
					  kind == KIND_LINE ? "stroke" : "fill", word);
	if (!titles)
		nn_text_print(svg, "<path d=\"");
	for (uint32 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (titles)
			nn_text_print(svg, "<path d=\"");
		place_append(svg, map, which[i]);
		if (!titles)
			continue;
		nn_text_print(svg, "\">");
		place_title(svg, map, which[i]);
		nn_text_print(svg, "</path>");
	}
	nn_text_print(svg, "%s</g>", titles ? "" : "\"/>");
}

/* Areas first, then lines, then points; of each kind colour by colour. */
static void
places_draw(NnText *svg, const Map *map)
{
	uint32	   *which = NN_NEW_ARRAY(map->env, uint32, map->nplaces),
			   *colour = NN_NEW_ARRAY(map->env, uint32, map->nplaces);

	for (uint32 p = 0; p < map->nplaces; p++)
		colour[p] = colour_of(map, map->value[p]);
	for (int kind = KIND_AREA; kind >= KIND_POINT; kind--)
		for (uint32 c = 0; c <= MAP_COLOURS; c++)
		{
			uint32		n = 0;

			for (uint32 p = 0; p < map->nplaces; p++)
				if (colour[p] == c && map->first[p] < map->first[p + 1] &&
					map->kind[map->first[p]] == kind)
					which[n++] = p;
			places_draw_colour(svg, map, kind, c, which, n);
		}
}

/* ------------------------------------------------------------------------
 * Names beside the dots
 */

typedef struct Box
{
	double		left, right, top, bottom;
} Box;

static bool
boxes_touch(const Box *a, const Box *b)
{
	return a->left < b->right && b->left < a->right && a->top < b->bottom && b->top < a->bottom;
}

/* Is the box within the frame, and clear of n others? */
static bool
box_is_free(const Box *box, const PlotFrame *frame, const Box *others, uint32 n)
{
	if (box->left < frame->left + 4 || box->right > frame->right - 4 || box->top < frame->top ||
		box->bottom > frame->bottom)
		return false;
	for (uint32 i = 0; i < n; i++)
		if (boxes_touch(box, &others[i]))
			return false;
	return true;
}

/* Right, left, above or below the dot, whichever is free first; nowhere when none is. */
static uint32
name_place(NnText *svg, const Map *map, const PlotFrame *frame, uint32 p, Box *taken, uint32 n)
{
	static const struct
	{
		double		dx, dy;
		const char *anchor;
		double		shift;		/* of the box, in widths */
	}			sides[] = {
		{1, 0, "start", 0}, {-1, 0, "end", -1}, {0, -1, "middle", -0.5}, {0, 1, "middle", -0.5}
	};
	double		wide = plot_text_width(map->series[p], 12),
				away = dot_radius(map) + 5;
	uint32		v = map->first[p];

	for (size_t i = 0; i < lengthof(sides); i++)
	{
		double		x = map->x[v] + sides[i].dx * away,
					y = map->y[v] + sides[i].dy * (away + 6) + 4;
		Box			box = {x + sides[i].shift * wide, x + (sides[i].shift + 1) * wide, y - 11, y + 3};

		if (!box_is_free(&box, frame, taken, n))
			continue;
		plot_text(svg, x, y, "label halo", sides[i].anchor, map->series[p], 0);
		taken[n] = box;
		return n + 1;
	}
	return n;
}

static void
names_draw(NnText *svg, const Map *map, const PlotFrame *frame)
{
	Box		   *taken;
	uint32		n = 0;
	double		r = dot_radius(map);

	if (map->nplaces > MAP_NAMES || map->cell_x > 0)
		return;
	taken = NN_NEW_ARRAY(map->env, Box, 2 * (size_t) map->nplaces + 1);
	for (uint32 p = 0; p < map->nplaces; p++)
	{
		uint32		v = map->first[p];

		if (v == map->first[p + 1] || map->kind[v] != KIND_POINT)
			return;
		taken[n++] = (Box) {map->x[v] - r, map->x[v] + r, map->y[v] - r, map->y[v] + r};
	}
	for (uint32 p = 0; p < map->nplaces; p++)
		n = name_place(svg, map, frame, p, taken, n);
}

/* ------------------------------------------------------------------------
 * Legend and scale
 */

static void
legend_draw(NnText *svg, const Map *map, const PlotFrame *frame, PlotTicks *ticks)
{
	/* Whole pixels, or the page would shine through between the colours. */
	double		x = rint(frame->right + 24),
				step = Max(floor(Min(frame->bottom - frame->top, 300) / MAP_COLOURS), 1);
	PlotScale	y = {.low = map->low, .high = map->high,.from = frame->top + step * MAP_COLOURS,
	.to = frame->top};

	for (uint32 c = 0; c < MAP_COLOURS; c++)
	{
		char		word[8];

		colour_print(word, (c + 0.5) / MAP_COLOURS);
		nn_text_print(svg, "<rect x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%.0f\" fill=\"%s\" "
					  "shape-rendering=\"crispEdges\"/>", x, y.from - (c + 1) * step, MAP_BAR, step, word);
	}
	for (int i = 0; i < ticks->n; i++)
	{
		double		at = plot_scale(&y, ticks->at[i]);

		plot_line(svg, "axis", x + MAP_BAR, at, x + MAP_BAR + 4, at);
		plot_text(svg, x + MAP_BAR + 8, at + 4, "label", "start", ticks->label[i], 0);
	}
	for (uint32 p = 0; p < map->nplaces; p++)
		if (!isfinite(map->value[p]) && map->first[p] < map->first[p + 1])
		{
			plot_rect(svg, "unknown", x, y.from + 18, MAP_BAR, MAP_BAR);
			plot_text(svg, x + MAP_BAR + 8, y.from + 30, "label", "start", "no forecast", 0);
			break;
		}
}

/* A bar of round length at the lower left, where it is known how long a unit is. */
static void
scale_draw(NnText *svg, const Map *map, const PlotFrame *frame)
{
	double		metres = map->geographic ? METRES_PER_DEGREE : map->unit,
				most = (frame->right - frame->left) / 4 / map->scale * metres,
				power,
				length,
				y = frame->bottom + 20;

	if (!(most > 0) || !isfinite(most))
		return;
	power = pow(10, floor(log10(most)));
	length = power * (most / power >= 5 ? 5 : most / power >= 2 ? 2 : 1);
	nn_text_print(svg, "<path class=\"axis\" fill=\"none\" d=\"M%.1f,%.1fv6h%.1fv-6\"/>", frame->left, y,
				  length / metres * map->scale);
	plot_text(svg, frame->left + length / metres * map->scale + 8, y + 7, "label", "start",
			  length >= 1000 ? nn_format(map->env, "%g km", length / 1000) :
			  nn_format(map->env, "%g m", length), 0);
}

/* ------------------------------------------------------------------------
 * The picture
 */

static char *
map_nothing(const Map *map, const char *why)
{
	NnText		svg;
	PlotFrame	frame;

	nn_text_init(&svg, map->env);
	frame = plot_frame(&svg, PLOT_WIDTH, PLOT_HEIGHT, map->title);
	plot_nothing(&svg, &frame, why);
	plot_end(&svg);
	return svg.data;
}

static char *
map_svg(Map *map)
{
	PlotFrame	frame = {.top = PLOT_LEGEND_Y + 14};
	PlotTicks	ticks;
	NnText		svg;
	double		widest = 0;

	map->low = INFINITY;
	map->high = -INFINITY;
	plot_range(&map->low, &map->high, map->nplaces, map->value);
	if (map->nvertices == 0)
		return map_nothing(map, "no place is known");
	if (map->low > map->high)
		map->low = map->high = 0;
	plot_ticks_nice(&map->low, &map->high, 7, &ticks);
	for (int i = 0; i < ticks.n; i++)
		widest = Max(widest, plot_text_width(ticks.label[i], 12));
	map_project(map, &frame);
	frame.width = (int) (frame.right + 24 + MAP_BAR + 8 + Max(widest, 76) + PLOT_MARGIN);
	frame.height = (int) (frame.bottom + 44);

	nn_text_init(&svg, map->env);
	plot_begin(&svg, frame.width, frame.height, map->title);
	plot_text(&svg, PLOT_MARGIN, PLOT_TITLE_Y, "title", "start", map->title,
			  frame.width - 2 * PLOT_MARGIN);
	plot_text(&svg, PLOT_MARGIN, PLOT_LEGEND_Y, "label", "start", map->label,
			  frame.width - 2 * PLOT_MARGIN);
	if (map->cell_x == 0 && !map_has(map, KIND_AREA))
		nn_text_print(&svg, "<rect class=\"grid\" fill=\"none\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
					  "height=\"%.1f\" rx=\"4\"/>", frame.left, frame.top, frame.right - frame.left,
					  frame.bottom - frame.top);
	places_draw(&svg, map);
	names_draw(&svg, map, &frame);
	legend_draw(&svg, map, &frame, &ticks);
	scale_draw(&svg, map, &frame);
	plot_end(&svg);
	return svg.data;
}

/* ------------------------------------------------------------------------
 * Arguments
 */

static ArrayType *
argument_array(FunctionCallInfo fcinfo, int i, const char *name, uint32 *n)
{
	ArrayType  *array;

	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	array = PG_GETARG_ARRAYTYPE_P(i);
	*n = (uint32) ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	return array;
}

/* Its elements; error 22023 unless there are n of them, 22004 for a NULL but in numbers. */
static void
array_read(const NnEnv *env, FunctionCallInfo fcinfo, int i, const char *name, uint32 n,
		   double *numbers, int32 *integers, char **texts)
{
	uint32		count;
	ArrayType  *array = argument_array(fcinfo, i, name, &count);
	ArrayIterator iterator;
	Datum		element;
	bool		isnull;

	if (count != n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" has %u elements, not %u", name, count, n)));
	iterator = array_create_iterator(array, 0, NULL);
	for (uint32 k = 0; k < n && array_iterate(iterator, &element, &isnull); k++)
	{
		if (isnull && integers != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("element %u of argument \"%s\" must not be null", k + 1, name)));
		if (numbers != NULL)
			numbers[k] = isnull ? NAN : DatumGetFloat8(element);
		else if (integers != NULL)
			integers[k] = DatumGetInt32(element);
		else
			texts[k] = isnull ? nn_strdup(env, "") : TextDatumGetCString(element);
	}
	array_free_iterator(iterator);
}

static void
map_read(FunctionCallInfo fcinfo, Map *map)
{
	const NnEnv *env = map->env;

	map->title = argument_text_required(fcinfo, ARG_TITLE, "title");
	map->label = argument_text_required(fcinfo, ARG_LABEL, "label");
	map->geographic = !PG_ARGISNULL(ARG_GEOGRAPHIC) && PG_GETARG_BOOL(ARG_GEOGRAPHIC);
	map->unit = PG_ARGISNULL(ARG_UNIT) ? NAN : PG_GETARG_FLOAT8(ARG_UNIT);
	map->cell_x = PG_ARGISNULL(ARG_CELL_X) ? 0 : PG_GETARG_FLOAT8(ARG_CELL_X);
	map->cell_y = PG_ARGISNULL(ARG_CELL_Y) ? 0 : PG_GETARG_FLOAT8(ARG_CELL_Y);
	if (!(map->cell_x > 0 && map->cell_y > 0) || isinf(map->cell_x) || isinf(map->cell_y))
		map->cell_x = map->cell_y = 0;
	(void) argument_array(fcinfo, ARG_SERIES, "series", &map->nplaces);
	(void) argument_array(fcinfo, ARG_X, "x", &map->nvertices);
	map->series = NN_NEW_ARRAY(env, char *, map->nplaces);
	map->value = NN_NEW_ARRAY(env, double, map->nplaces);
	map->place = NN_NEW_ARRAY(env, int32, map->nvertices);
	map->ring = NN_NEW_ARRAY(env, int32, map->nvertices);
	map->kind = NN_NEW_ARRAY(env, int32, map->nvertices);
	map->x = NN_NEW_ARRAY(env, double, map->nvertices);
	map->y = NN_NEW_ARRAY(env, double, map->nvertices);
	array_read(env, fcinfo, ARG_SERIES, "series", map->nplaces, NULL, NULL, map->series);
	array_read(env, fcinfo, ARG_VALUE, "value", map->nplaces, map->value, NULL, NULL);
	array_read(env, fcinfo, ARG_PLACE, "place", map->nvertices, NULL, map->place, NULL);
	array_read(env, fcinfo, ARG_RING, "ring", map->nvertices, NULL, map->ring, NULL);
	array_read(env, fcinfo, ARG_KIND, "kind", map->nvertices, NULL, map->kind, NULL);
	array_read(env, fcinfo, ARG_X, "x", map->nvertices, map->x, NULL, NULL);
	array_read(env, fcinfo, ARG_Y, "y", map->nvertices, map->y, NULL, NULL);
	vertices_check(map);
}

Datum
lstm_map_picture(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	Map			map = {.env = env_create(memory.own)};
	Datum		result;

	map_read(fcinfo, &map);
	result = plot_xml(memory.caller, map_svg(&map));
	call_memory_end(memory);
	PG_RETURN_DATUM(result);
}
