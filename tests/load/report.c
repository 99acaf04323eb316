#include "tests/load/report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/reasons.h"

static double us(const struct histogram *histogram, double share)
{
    return (double)histogram_percentile(histogram, share) / 1e3;
}

static void add_percentiles(cJSON *to, const char *name, const struct histogram *histogram)
{
    cJSON *out = cJSON_AddObjectToObject(to, name);
    cJSON_AddNumberToObject(out, "p50", us(histogram, 0.5));
    cJSON_AddNumberToObject(out, "p90", us(histogram, 0.9));
    cJSON_AddNumberToObject(out, "p99", us(histogram, 0.99));
    cJSON_AddNumberToObject(out, "p999", us(histogram, 0.999));
    cJSON_AddNumberToObject(out, "p9999", us(histogram, 0.9999));
    cJSON_AddNumberToObject(out, "max", (double)histogram->max / 1e3);
    cJSON_AddNumberToObject(out, "mean", histogram_mean(histogram) / 1e3);
}

/* The whole distribution: ten points a nine, as far as there are answers to tell. */
static void add_distribution(cJSON *to, const struct histogram *histogram)
{
    cJSON *out = cJSON_AddArrayToObject(to, "distribution");
    double above = 1; /* share of answers that were slower */
    for (int i = 0; i < 70 && above * (double)histogram->count >= 1; i++, above /= 1.258925411794167) {
        cJSON *point = cJSON_CreateArray();
        cJSON_AddItemToArray(point, cJSON_CreateNumber(above));
        cJSON_AddItemToArray(point, cJSON_CreateNumber(us(histogram, 1 - above)));
        cJSON_AddItemToArray(out, point);
    }
}

static void add_machine(cJSON *to)
{
    struct utsname name;
    char line[256], model[128] = "";
    cJSON *out = cJSON_AddObjectToObject(to, "machine");
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file && !model[0] && fgets(line, sizeof line, file))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':'))
            snprintf(model, sizeof model, "%.*s", (int)strcspn(strchr(line, ':') + 2, "\n"), strchr(line, ':') + 2);
    if (file)
        fclose(file);
    cJSON_AddStringToObject(out, "processor", model);
    cJSON_AddNumberToObject(out, "cores", (double)sysconf(_SC_NPROCESSORS_ONLN));
    if (uname(&name) == 0) {
        cJSON_AddStringToObject(out, "kernel", name.release);
        cJSON_AddStringToObject(out, "architecture", name.machine);
    }
}

static void add_counts(cJSON *to, const struct load_counts *c)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"due", c->due},
        {"sent", c->sent},
        {"unsent", c->unsent},
        {"answered", c->answered},
        {"late", c->late},
        {"lost", c->lost},
        {"right", c->right},
        {"shed", c->shed},
        {"wrong", load_counts_wrong(c)},
        {"retried", c->retried},
        {"repeated", c->repeated},
        {"repeat_answered", c->repeat_answered},
        {"challenged", c->challenged},
        {"unmatched", c->unmatched},
        {"checksum_bad", c->checksum_bad},
        {"unreachable", c->unreachable},
        {"strange", c->strange},
        {"starved", c->starved},
        {"bytes_sent", c->bytes_sent},
        {"bytes_received", c->bytes_received},
    };
    cJSON *out = cJSON_AddObjectToObject(to, "counts");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cJSON_AddNumberToObject(out, rows[i].name, (double)rows[i].value);
}

static void add_mix(cJSON *to, const struct load_counts *c)
{
    cJSON *verdicts = cJSON_AddObjectToObject(to, "verdicts"), *codes = cJSON_AddObjectToObject(to, "codes");
    cJSON *reasons = cJSON_AddObjectToObject(to, "reasons"), *kinds = cJSON_AddObjectToObject(to, "kinds");
    char code[8];
    for (unsigned i = 0; i < VERDICT_COUNT; i++)
        if (c->verdicts[i])
            cJSON_AddNumberToObject(verdicts, verdict_name((enum verdict)i), (double)c->verdicts[i]);
    for (unsigned i = 0; i < 256; i++) {
        snprintf(code, sizeof code, "%u.%02u", i >> 5, i & 31);
        if (c->codes[i])
            cJSON_AddNumberToObject(codes, code, (double)c->codes[i]);
        if (c->reasons[i])
            cJSON_AddNumberToObject(reasons, reason_name((enum reason)i), (double)c->reasons[i]);
    }
    for (unsigned i = 0; i < KIND_COUNT; i++)
        if (c->kinds[i])
            cJSON_AddNumberToObject(kinds, request_kind_name((enum request_kind)i), (double)c->kinds[i]);
}

static void add_series(cJSON *to, const struct result *result)
{
    cJSON *out = cJSON_AddArrayToObject(to, "series");
    for (uint32_t i = 0; i < result->series_count; i++) {
        const struct series_point *p = &result->series[i];
        cJSON *point = cJSON_CreateObject();
        cJSON_AddNumberToObject(point, "t", p->at_s);
        cJSON_AddNumberToObject(point, "due", p->due_per_s);
        cJSON_AddNumberToObject(point, "answered", p->answered_per_s);
        cJSON_AddNumberToObject(point, "lost", p->lost_per_s);
        cJSON_AddNumberToObject(point, "p50", (double)p->p50_ns / 1e3);
        cJSON_AddNumberToObject(point, "p99", (double)p->p99_ns / 1e3);
        cJSON_AddNumberToObject(point, "max", (double)p->max_ns / 1e3);
        cJSON_AddItemToArray(out, point);
    }
}

static void add_answer(cJSON *to, const char *name, uint8_t code, uint8_t verdict, uint8_t reason)
{
    char text[96];
    if (code >> 5 == 2)
        snprintf(text, sizeof text, "%s, %s", verdict_name((enum verdict)verdict), reason_name((enum reason)reason));
    else
        snprintf(text, sizeof text, "%u.%02u", code >> 5, code & 31);
    cJSON_AddStringToObject(to, name, text);
}

static void add_wrong(cJSON *to, const struct result *result)
{
    cJSON *out = cJSON_AddArrayToObject(to, "wrong");
    for (unsigned i = 0; i < result->sample_count; i++) {
        const struct wrong_sample *s = &result->samples[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "what", wrong_name(s->wrong));
        cJSON_AddStringToObject(item, "request", request_kind_name((enum request_kind)s->kind));
        cJSON_AddNumberToObject(item, "entry", (double)s->entry);
        cJSON_AddNumberToObject(item, "point", s->point + 1);
        add_answer(item, "expected", s->expected.code, s->expected.verdict, s->expected.reason);
        add_answer(item, "got", s->code, s->verdict, s->reason);
        cJSON_AddItemToArray(out, item);
    }
}

cJSON *report_of_run(const struct report_terms *terms, const struct result *result)
{
    cJSON *out = cJSON_CreateObject();
    if (!out)
        return NULL;
    cJSON_AddStringToObject(out, "tool", "chengmen-load");
    cJSON_AddStringToObject(out, "kind", terms->kind);
    cJSON_AddStringToObject(out, "profile", terms->profile->name);
    cJSON_AddStringToObject(out, "text", terms->profile->text);
    cJSON_AddStringToObject(out, "target", terms->target);
    cJSON_AddStringToObject(out, "port", terms->port);
    cJSON_AddStringToObject(out, "protection", terms->protection);
    cJSON_AddNumberToObject(out, "seed", (double)terms->seed);
    cJSON_AddNumberToObject(out, "ended", (double)time(NULL));
    cJSON_AddNumberToObject(out, "points", terms->profile->points);
    cJSON_AddNumberToObject(out, "pool", (double)terms->profile->pool);
    cJSON_AddNumberToObject(out, "timeout_ms", (double)terms->profile->timeout_ns / 1e6);
    cJSON_AddNumberToObject(out, "duration_s", result->duration_s);
    cJSON_AddNumberToObject(out, "offered_per_s", result->rate_per_s);
    cJSON_AddNumberToObject(out, "right_per_s", (double)result->counts.right / result->duration_s);
    cJSON_AddNumberToObject(out, "loss", result_loss(result));
    cJSON_AddNumberToObject(out, "loss_limit", terms->loss_limit);
    cJSON_AddBoolToObject(out, "interrupted", result->interrupted);
    cJSON_AddBoolToObject(out, "passed", result_good(result, terms->loss_limit));
    add_percentiles(out, "latency_us", &result->latency);
    add_percentiles(out, "lag_us", &result->lag);
    add_counts(out, &result->counts);
    add_mix(out, &result->counts);
    add_distribution(out, &result->latency);
    add_series(out, result);
    add_wrong(out, result);
    add_machine(out);
    return out;
}

void report_add_highest(cJSON *report, double highest_per_s)
{
    cJSON_AddNumberToObject(report, "highest_per_s", highest_per_s);
}

void report_add_curve_point(cJSON *report, double share, double rate_per_s, const struct result *result)
{
    cJSON *curve = cJSON_GetObjectItemCaseSensitive(report, "curve");
    if (!curve)
        curve = cJSON_AddArrayToObject(report, "curve");
    cJSON *point = cJSON_CreateObject();
    cJSON_AddNumberToObject(point, "load", share);
    cJSON_AddNumberToObject(point, "per_s", rate_per_s);
    cJSON_AddNumberToObject(point, "p50", us(&result->latency, 0.5));
    cJSON_AddNumberToObject(point, "p99", us(&result->latency, 0.99));
    cJSON_AddNumberToObject(point, "p999", us(&result->latency, 0.999));
    cJSON_AddItemToArray(curve, point);
}

bool report_save(const cJSON *report, const char *json_path, const char *html_path)
{
    bool good = true;
    if (json_path) {
        char *text = cJSON_Print(report);
        FILE *file = strcmp(json_path, "-") == 0 ? stdout : fopen(json_path, "we");
        good = text && file && fputs(text, file) >= 0 && fputc('\n', file) != EOF;
        if (file && file != stdout)
            good = fclose(file) == 0 && good;
        free(text);
    }
    if (html_path) {
        FILE *file = fopen(html_path, "we");
        good = file && report_write_html(report, file) && good;
        if (file)
            good = fclose(file) == 0 && good;
    }
    return good;
}
