/* Charts as SVG inside an HTML page: colours come from the page's style (classes s0, s1, … of `series`, `grid`,
 * `axis`).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CHART_SERIES_MAX 4

struct chart_series {
    const char *name;
    const double *y; /* `count` values; where y_log, those that are not above 0 are left out */
};

struct chart {
    const char *title; /* for readers of the page and for those that have it read to them */
    const char *x_name, *y_name;
    const double *x; /* ascending */
    uint32_t count;
    bool y_log;
    const char *const *x_ticks; /* NULL: numbers; else texts at x_tick_at */
    const double *x_tick_at;
    uint32_t x_tick_count;
    struct chart_series series[CHART_SERIES_MAX];
    uint32_t series_count;
};

void chart_write(FILE *out, const struct chart *chart);
/* Horizontal bars with names and values; `total` scales them. */
void chart_bars(FILE *out, const char *title, const char *const names[], const double values[], uint32_t count,
                double total);
/* Text with the characters of HTML replaced. */
void html_text(FILE *out, const char *text);
/* A number as people write it: 1 234 567, 12.3, 0.045. */
void html_number(FILE *out, double value);
