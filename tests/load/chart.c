#include "tests/load/chart.h"

#include <math.h>

enum { WIDTH = 720, HEIGHT = 280, LEFT = 76, RIGHT = 30, TOP = 12, BOTTOM = 44, TICKS = 5 };

void html_text(FILE *out, const char *text)
{
    for (; text && *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
}

void html_number(FILE *out, double value)
{
    if (fabs(value) < 1000) {
        fprintf(out, "%.*f", value == floor(value) ? 0 : fabs(value) < 1 ? 4 : fabs(value) < 100 ? 2 : 1, value);
        return;
    }
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%.0f", value);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
            fputs("&#8239;", out); /* narrow space that does not break */
        fputc(digits[i], out);
    }
}

struct scale {
    double low, high;
    bool is_log;
};

static double place(const struct scale *scale, double value, double from, double to)
{
    double low = scale->low, high = scale->high;
    if (scale->is_log) {
        low = log10(low);
        high = log10(high);
        value = log10(value);
    }
    return from + (high > low ? (value - low) / (high - low) : 0.5) * (to - from);
}

static bool shown(const struct chart *chart, double y)
{
    return isfinite(y) && (!chart->y_log || y > 0);
}

static struct scale scale_of(const struct chart *chart)
{
    struct scale scale = {INFINITY, -INFINITY, chart->y_log};
    for (uint32_t s = 0; s < chart->series_count; s++)
        for (uint32_t i = 0; i < chart->count; i++)
            if (shown(chart, chart->series[s].y[i])) {
                scale.low = fmin(scale.low, chart->series[s].y[i]);
                scale.high = fmax(scale.high, chart->series[s].y[i]);
            }
    if (scale.low > scale.high)
        scale.low = scale.high = 1;
    if (chart->y_log) {
        scale.low = pow(10, floor(log10(scale.low)));
        scale.high = pow(10, ceil(log10(scale.high)));
        if (scale.low >= scale.high)
            scale.high = scale.low * 10;
        return scale;
    }
    scale.low = 0;
    double step = scale.high > 0 ? pow(10, floor(log10(scale.high))) / 2 : 1;
    scale.high = scale.high > 0 ? ceil(scale.high / step) * step : 1;
    return scale;
}

static void write_y_axis(FILE *out, const struct scale *scale)
{
    double ticks = scale->is_log ? round(log10(scale->high / scale->low)) : TICKS;
    for (double i = 0; i <= ticks; i++) {
        double value = scale->is_log ? scale->low * pow(10, i) : scale->high * i / ticks;
        double y = place(scale, value, HEIGHT - BOTTOM, TOP);
        fprintf(out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, WIDTH - RIGHT, y, y);
        fprintf(out, "<text class=\"axis\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6, y + 4);
        html_number(out, value);
        fputs("</text>", out);
    }
}

/* 1, 2 or 5 times a power of ten, so that about TICKS of it make the span. */
static double round_step(double span)
{
    double step = pow(10, floor(log10(span / TICKS)));
    double times = span / TICKS / step;
    return step * (times > 5 ? 10 : times > 2 ? 5 : times > 1 ? 2 : 1);
}

static void write_x_tick(FILE *out, const struct scale *scale, double value, const char *text)
{
    fprintf(out, "<text class=\"axis\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
            place(scale, value, LEFT, WIDTH - RIGHT), HEIGHT - BOTTOM + 18);
    if (text)
        html_text(out, text);
    else
        html_number(out, value);
    fputs("</text>", out);
}

static void write_x_axis(FILE *out, const struct chart *chart, const struct scale *scale)
{
    double span = scale->high - scale->low, step = span > 0 ? round_step(span) : 1;
    double first = ceil(scale->low / step);
    for (uint32_t i = 0; chart->x_ticks && i < chart->x_tick_count; i++)
        write_x_tick(out, scale, chart->x_tick_at[i], chart->x_ticks[i]);
    for (uint32_t i = 0; !chart->x_ticks && (first + i) * step <= scale->high; i++)
        write_x_tick(out, scale, (first + i) * step, NULL);
    fprintf(out, "<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"end\">", WIDTH - RIGHT, HEIGHT - 6);
    html_text(out, chart->x_name);
    fprintf(out,
            "</text><text class=\"axis\" x=\"14\" y=\"%d\" text-anchor=\"middle\" transform=\"rotate(-90 14 %d)\">",
            (HEIGHT - BOTTOM + TOP) / 2, (HEIGHT - BOTTOM + TOP) / 2);
    html_text(out, chart->y_name);
    fputs("</text>", out);
}

static void write_series(FILE *out, const struct chart *chart, uint32_t s, const struct scale *x_scale,
                         const struct scale *y_scale)
{
    bool open = false;
    fprintf(out, "<path class=\"series s%u\" d=\"", s);
    for (uint32_t i = 0; i < chart->count; i++) {
        double y = chart->series[s].y[i];
        if (!shown(chart, y)) {
            open = false;
            continue;
        }
        fprintf(out, "%c%.1f %.1f", open ? 'L' : 'M', place(x_scale, chart->x[i], LEFT, WIDTH - RIGHT),
                place(y_scale, y, HEIGHT - BOTTOM, TOP));
        open = true;
    }
    fputs("\"/>", out);
}

void chart_write(FILE *out, const struct chart *chart)
{
    struct scale y_scale = scale_of(chart);
    struct scale x_scale = {chart->count ? chart->x[0] : 0, chart->count ? chart->x[chart->count - 1] : 1, false};
    fputs("<figure><figcaption>", out);
    html_text(out, chart->title);
    for (uint32_t s = 0; s < chart->series_count; s++) {
        fprintf(out, " <span class=\"key\"><i class=\"s%u\"></i>", s);
        html_text(out, chart->series[s].name);
        fputs("</span>", out);
    }
    fprintf(out, "</figcaption><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    html_text(out, chart->title);
    fputs("\">", out);
    write_y_axis(out, &y_scale);
    write_x_axis(out, chart, &x_scale);
    for (uint32_t s = 0; s < chart->series_count; s++)
        write_series(out, chart, s, &x_scale, &y_scale);
    fputs("</svg></figure>\n", out);
}

void chart_bars(FILE *out, const char *title, const char *const names[], const double values[], uint32_t count,
                double total)
{
    fputs("<figure><figcaption>", out);
    html_text(out, title);
    fputs("</figcaption><table class=\"bars\">", out);
    for (uint32_t i = 0; i < count; i++) {
        double share = total > 0 ? values[i] / total : 0;
        fputs("<tr><th scope=\"row\">", out);
        html_text(out, names[i]);
        fprintf(out,
                "</th><td class=\"bar\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
                "<rect class=\"b%u\" width=\"%.2f\" height=\"10\"/></svg></td><td>",
                i, share * 100);
        html_number(out, values[i]);
        fprintf(out, "</td><td>%.2f %%</td></tr>", share * 100);
    }
    fputs("</table></figure>\n", out);
}
