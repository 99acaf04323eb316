#include "tests/load/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/load/chart.h"

#define POINTS_MAX 1024
#define BARS_MAX 24

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Chengmen load report</title>\n<style>\n"
    ":root{--ground:#fff;--ink:#1b1f24;--soft:#5b6570;--line:#d9dee3;--panel:#f6f8fa;--good:#116329;--bad:#a40e26;"
    "--c0:#0b63c5;--c1:#b35900;--c2:#a40e26;--c3:#6f42c1}\n"
    "@media(prefers-color-scheme:dark){:root{--ground:#12161b;--ink:#e6eaee;--soft:#9aa5b1;--line:#323a43;"
    "--panel:#1b2128;--good:#4ac26b;--bad:#ff7b88;--c0:#66aaff;--c1:#f0a050;--c2:#ff7b88;--c3:#b794f6}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;padding:1.5rem;max-width:60rem;background:var(--ground);"
    "color:var(--ink);font:16px/1.5 system-ui,sans-serif}h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;"
    "margin:2rem 0 .5rem}p{margin:.3rem 0;color:var(--soft)}.tiles{display:grid;gap:.75rem;"
    "grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));margin:1.25rem 0}.tile{background:var(--panel);"
    "border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem}.tile "
    "b{display:block;font-size:1.3rem;white-space:nowrap;"
    "font-weight:600;font-variant-numeric:tabular-nums}.tile span{color:var(--soft);font-size:.85rem}"
    ".good b{color:var(--good)}.bad b{color:var(--bad)}figure{margin:0 0 1.5rem;break-inside:avoid}"
    "figcaption{font-weight:600;margin-bottom:.4rem}.key{font-weight:400;color:var(--soft);margin-left:.9rem}"
    ".key i{display:inline-block;width:.9rem;height:.2rem;margin-right:.3rem;vertical-align:middle}"
    ".key i.s0{background:var(--c0)}.key i.s1{background:var(--c1)}.key i.s2{background:var(--c2)}"
    ".key i.s3{background:var(--c3)}svg{display:block;width:100%;height:auto}.grid{stroke:var(--line)}"
    ".axis{fill:var(--soft);font-size:12px}.series{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".series.s0{stroke:var(--c0)}.series.s1{stroke:var(--c1)}.series.s2{stroke:var(--c2)}.series.s3{stroke:var(--c3)}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}"
    "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line)}td+td{text-align:right}"
    "th{font-weight:500}.bars td{text-align:right;white-space:nowrap}.bars .bar{width:55%}.bars svg{height:.8rem}"
    ".bars rect{fill:var(--c0)}.columns{display:grid;gap:0 "
    "2rem;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr))}"
    ".words td{text-align:left}\n@media "
    "print{body{max-width:none;padding:0;font-size:11pt}.tile{break-inside:avoid}}\n</style>\n";

static double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static const char *text(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static void tile(FILE *out, const char *class, double value, const char *unit, const char *name)
{
    fprintf(out, "<div class=\"tile %s\"><b>", class);
    html_number(out, value);
    fprintf(out, " %s</b><span>", unit);
    html_text(out, name);
    fputs("</span></div>", out);
}

static void write_summary(FILE *out, const cJSON *report)
{
    const cJSON *latency = cJSON_GetObjectItemCaseSensitive(report, "latency_us");
    const cJSON *counts = cJSON_GetObjectItemCaseSensitive(report, "counts");
    bool passed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(report, "passed"));
    char when[64] = "";
    time_t ended = (time_t)number(report, "ended");
    struct tm utc;
    if (gmtime_r(&ended, &utc))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &utc);
    fputs("<header><h1>Load report: ", out);
    html_text(out, text(report, "profile"));
    fputs("</h1><p>", out);
    html_text(out, text(report, "text"));
    fputs("</p><p>Target ", out);
    html_text(out, text(report, "target"));
    if (strcmp(text(report, "protection"), "OSCORE") == 0)
        fputs(", under OSCORE", out);
    fprintf(out,
            ", ended %s</p></header>\n<div class=\"tiles\"><div class=\"tile %s\"><b>%s</b><span>every verdict "
            "right, loss within its limit</span></div>",
            when, passed ? "good" : "bad", passed ? "passed" : "failed");
    if (cJSON_HasObjectItem(report, "highest_per_s"))
        tile(out, "", number(report, "highest_per_s"), "/s", "highest rate without loss");
    tile(out, "", number(report, "offered_per_s"), "/s", "offered");
    tile(out, "", number(report, "right_per_s"), "/s", "answered rightly");
    tile(out, number(report, "loss") > number(report, "loss_limit") ? "bad" : "", number(report, "loss") * 100, "%",
         "lost, late or shed");
    tile(out, number(counts, "wrong") > 0 ? "bad" : "", number(counts, "wrong"), "", "wrong answers");
    tile(out, "", number(latency, "p50"), "µs", "median");
    tile(out, "", number(latency, "p99"), "µs", "99th percentile");
    tile(out, "", number(latency, "p999"), "µs", "99.9th percentile");
    tile(out, "", number(latency, "max"), "µs", "slowest");
    fputs("</div>\n", out);
}

/* Latency over the share of answers that were slower, a nine a step. */
static void write_distribution(FILE *out, const cJSON *report)
{
    static const char *const names[] = {"0", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"};
    static const double at[] = {0, 1, 2, 3, 4, 5, 6};
    static double x[POINTS_MAX], y[POINTS_MAX];
    const cJSON *points = cJSON_GetObjectItemCaseSensitive(report, "distribution"), *point;
    struct chart chart = {.title = "Latency by percentile",
                          .x_name = "share of answers at least so fast",
                          .y_name = "µs",
                          .x = x,
                          .y_log = true,
                          .x_ticks = names,
                          .x_tick_at = at,
                          .series = {{"latency from the time due", y}},
                          .series_count = 1};
    cJSON_ArrayForEach(point, points)
    {
        const cJSON *above = cJSON_GetArrayItem(point, 0), *value = cJSON_GetArrayItem(point, 1);
        if (chart.count < POINTS_MAX && cJSON_IsNumber(above) && cJSON_IsNumber(value) && above->valuedouble > 0) {
            x[chart.count] = -log10(above->valuedouble);
            y[chart.count++] = value->valuedouble;
        }
    }
    if (chart.count < 2)
        return;
    while (chart.x_tick_count < 7 && at[chart.x_tick_count] <= x[chart.count - 1])
        chart.x_tick_count++;
    chart_write(out, &chart);
}

/* Gathers members of an array's objects into columns. */
static uint32_t columns(const cJSON *array, const char *const names[], double *const out[], uint32_t count)
{
    const cJSON *item;
    uint32_t rows = 0;
    cJSON_ArrayForEach(item, array)
    {
        if (rows == POINTS_MAX)
            break;
        for (uint32_t i = 0; i < count; i++)
            out[i][rows] = number(item, names[i]);
        rows++;
    }
    return rows;
}

static void write_series(FILE *out, const cJSON *report)
{
    static const char *const names[] = {"t", "due", "answered", "lost", "p50", "p99", "max"};
    static double t[POINTS_MAX], due[POINTS_MAX], answered[POINTS_MAX], lost[POINTS_MAX], p50[POINTS_MAX],
        p99[POINTS_MAX], max[POINTS_MAX];
    double *const room[] = {t, due, answered, lost, p50, p99, max};
    uint32_t rows = columns(cJSON_GetObjectItemCaseSensitive(report, "series"), names, room, 7);
    if (rows < 2)
        return;
    struct chart rates = {.title = "Rates",
                          .x_name = "seconds",
                          .y_name = "requests a second",
                          .x = t,
                          .count = rows,
                          .series = {{"due", due}, {"answered", answered}, {"lost", lost}},
                          .series_count = 3};
    struct chart latency = {.title = "Latency over time",
                            .x_name = "seconds",
                            .y_name = "µs",
                            .x = t,
                            .count = rows,
                            .y_log = true,
                            .series = {{"median", p50}, {"p99", p99}, {"max", max}},
                            .series_count = 3};
    chart_write(out, &rates);
    chart_write(out, &latency);
}

static void write_curve(FILE *out, const cJSON *report)
{
    static const char *const names[] = {"per_s", "p50", "p99", "p999"};
    static double rate[POINTS_MAX], p50[POINTS_MAX], p99[POINTS_MAX], p999[POINTS_MAX];
    double *const room[] = {rate, p50, p99, p999};
    uint32_t rows = columns(cJSON_GetObjectItemCaseSensitive(report, "curve"), names, room, 4);
    struct chart chart = {.title = "Latency over load",
                          .x_name = "requests a second",
                          .y_name = "µs",
                          .x = rate,
                          .count = rows,
                          .y_log = true,
                          .series = {{"median", p50}, {"p99", p99}, {"p99.9", p999}},
                          .series_count = 3};
    if (rows >= 2)
        chart_write(out, &chart);
}

static void write_bars(FILE *out, const cJSON *report, const char *member, const char *title)
{
    const char *names[BARS_MAX];
    double values[BARS_MAX], total = 0;
    uint32_t count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(report, member))
    {
        if (count == BARS_MAX || !cJSON_IsNumber(item))
            continue;
        names[count] = item->string;
        values[count++] = item->valuedouble;
        total += item->valuedouble;
    }
    if (count)
        chart_bars(out, title, names, values, count, total);
}

static void write_table(FILE *out, const char *title, const cJSON *object)
{
    const cJSON *item;
    fprintf(out, "<section><h2>%s</h2><table>", title);
    cJSON_ArrayForEach(item, object)
    {
        if (!cJSON_IsNumber(item) && !cJSON_IsString(item) && !cJSON_IsBool(item))
            continue;
        fputs("<tr><td>", out);
        html_text(out, item->string);
        fputs("</td><td>", out);
        if (cJSON_IsNumber(item))
            html_number(out, item->valuedouble);
        else
            html_text(out, cJSON_IsString(item) ? item->valuestring : cJSON_IsTrue(item) ? "yes" : "no");
        fputs("</td></tr>", out);
    }
    fputs("</table></section>\n", out);
}

static void write_wrong(FILE *out, const cJSON *report)
{
    static const char *const names[] = {"what", "request", "expected", "got"};
    const cJSON *wrong = cJSON_GetObjectItemCaseSensitive(report, "wrong"), *item;
    if (cJSON_GetArraySize(wrong) == 0)
        return;
    fputs("<h2>First wrong answers</h2><table "
          "class=\"words\"><tr><th>what</th><th>request</th><th>expected</th><th>got</th></tr>",
          out);
    cJSON_ArrayForEach(item, wrong)
    {
        fputs("<tr>", out);
        for (size_t i = 0; i < 4; i++) {
            fputs("<td>", out);
            html_text(out, text(item, names[i]));
            fputs("</td>", out);
        }
        fputs("</tr>", out);
    }
    fputs("</table>\n", out);
}

bool report_write_html(const cJSON *report, FILE *out)
{
    fputs(head, out);
    write_summary(out, report);
    fputs("<h2>Latency</h2>\n", out);
    write_distribution(out, report);
    write_curve(out, report);
    fputs("<h2>Over time</h2>\n", out);
    write_series(out, report);
    fputs("<h2>Answers</h2>\n", out);
    write_bars(out, report, "verdicts", "Verdicts");
    write_bars(out, report, "reasons", "Reasons");
    write_wrong(out, report);
    fputs("<div class=\"columns\">", out);
    write_table(out, "Counts", cJSON_GetObjectItemCaseSensitive(report, "counts"));
    write_table(out, "Latency, µs", cJSON_GetObjectItemCaseSensitive(report, "latency_us"));
    write_table(out, "Sent after due, µs", cJSON_GetObjectItemCaseSensitive(report, "lag_us"));
    write_table(out, "Configuration", report);
    write_table(out, "Machine", cJSON_GetObjectItemCaseSensitive(report, "machine"));
    fputs("</div>\n</html>\n", out);
    return !ferror(out);
}
