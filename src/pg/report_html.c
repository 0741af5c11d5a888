/*
 * report_html.c
 *		Tables, numbers and the style sheet of lstm.report.
 *
 * The page is HTML that is well-formed XML as well: every element is closed, every text
 * escaped.  Colours are those of plot_svg.c.
 */
#include "postgres.h"

#include <math.h>

#include "pg/plot_svg.h"
#include "pg/report.h"

static const char style_sheet[] =
":root{color-scheme:light dark;--page:#f8fafc;--card:#fff;--text:#0f172a;--soft:#475569;--line:#e2e8f0;"
"--warn:#b45309}"
"@media (prefers-color-scheme:dark){:root{--page:#020617;--card:#0f172a;--text:#f1f5f9;--soft:#cbd5e1;"
"--line:#273449;--warn:#fbbf24}}"
"*{box-sizing:border-box}"
"body{margin:0;background:var(--page);color:var(--text);"
"font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}"
"main{max-width:940px;margin:0 auto;padding:32px 20px 48px}"
"h1{font-size:28px;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}"
"h2{font-size:18px;margin:0 0 4px}"
"p{margin:0 0 12px;color:var(--soft)}table+p{margin-top:18px}"
"section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;"
"margin:18px 0;overflow-x:auto}"
".numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(125px,1fr));gap:12px;margin:20px 0}"
".numbers div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}"
".numbers b{display:block;font-size:22px;line-height:1.25;font-weight:600;font-variant-numeric:tabular-nums}"
".numbers span{color:var(--soft);font-size:13px}"
"table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}"
"th,td{text-align:left;padding:6px 14px 6px 0;border-bottom:1px solid var(--line);vertical-align:top;"
"overflow-wrap:anywhere}"
"th{font-weight:600;color:var(--soft);white-space:nowrap;overflow-wrap:normal}"
"th.number,td.number{text-align:right;white-space:nowrap}"
"tr:last-child td{border-bottom:0}"
"dl{display:grid;grid-template-columns:minmax(130px,max-content) 1fr;gap:6px 20px;margin:0;font-size:14px}"
"dl.wide{display:block;columns:3 250px;column-gap:32px;font-size:13px}"
"dl.wide div{display:flex;justify-content:space-between;gap:12px;break-inside:avoid;padding:2px 0}"
"dl.wide dd{text-align:right}"
"dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
"pre{font:13px/1.45 ui-monospace,\"DejaVu Sans Mono\",monospace;white-space:pre-wrap;"
"overflow-wrap:anywhere;margin:0}"
".failed{color:var(--warn)}"
".lstm-plot{display:block;max-width:100%;height:auto;margin:10px auto}"
"footer{color:var(--soft);font-size:13px}"
"@media print{main{max-width:none;padding:0}.numbers{grid-template-columns:repeat(6,1fr)}"
"section,.numbers div{border-color:#cbd5e1;break-inside:avoid}"
"section.long{break-inside:auto}tr,svg{break-inside:avoid}body{background:#fff}}";

void
html_begin(NnText *html, const char *title)
{
	nn_text_print(html, "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head>"
				  "<meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width\"/><title>");
	plot_escape(html, title);
	nn_text_print(html, "</title><style>");
	nn_text_append(html, style_sheet, sizeof(style_sheet) - 1);
	nn_text_print(html, "</style></head><body><main>\n");
}

void
html_end(NnText *html)
{
	nn_text_print(html, "</main></body></html>\n");
}

void
html_table(NnText *html, uint32 n, const char *const *columns)
{
	nn_text_print(html, "<table><thead><tr>");
	for (uint32 i = 0; i < n; i++)
	{
		bool		number = columns[i][0] == '#';

		nn_text_print(html, "<th%s>", number ? " class=\"number\"" : "");
		plot_escape(html, columns[i] + number);
		nn_text_print(html, "</th>");
	}
	nn_text_print(html, "</tr></thead><tbody>\n");
}

void
html_table_end(NnText *html)
{
	nn_text_print(html, "</tbody></table>\n");
}

void
html_text(NnText *html, const char *text)
{
	nn_text_print(html, "<td>");
	if (text != NULL)
		plot_escape(html, text);
	nn_text_print(html, "</td>");
}

void
html_number(NnText *html, double number)
{
	if (isnan(number))
		nn_text_print(html, "<td class=\"number\">-</td>");
	else if (fabs(number) >= 999.95 && fabs(number) < 1e9)
		nn_text_print(html, "<td class=\"number\">%.0f</td>", number);
	else if (number == 0)
		nn_text_print(html, "<td class=\"number\">0</td>");
	else
		nn_text_print(html, "<td class=\"number\">%#.4g</td>", number);
}

void
html_integer(NnText *html, int64 number)
{
	nn_text_print(html, "<td class=\"number\">" INT64_FORMAT "</td>", number);
}

void
html_property(NnText *html, const char *name, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	nn_text_print(html, "<dt>%s</dt><dd>", name);
	plot_escape(html, text);
	nn_text_print(html, "</dd>\n");
}

const char *
html_names(const NnEnv *env, char *const *names, uint32 n, uint32 most)
{
	NnText		text;

	nn_text_init(&text, env);
	nn_text_print(&text, "%s", "");
	for (uint32 i = 0; i < Min(n, most); i++)
		nn_text_print(&text, "%s%s", i > 0 ? ", " : "", names[i]);
	if (n > most)
		nn_text_print(&text, " and %u more", n - most);
	return text.data;
}
