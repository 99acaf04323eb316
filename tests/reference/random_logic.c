#include "tests/reference/random_logic.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

uint32_t random_below(struct random_logic *random, uint32_t limit)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return (uint32_t)(random->state >> 32) % limit;
}

static const char *const texts[] = {
    "",
    "green",
    "red",
    "CN-310000",
    "hospital",
    "dynamic",
    "teaching",
    "0",
    "a/b#c:d",
    "URN:UVCI:01:NL:187/37512422923",
    "2020-03-06",
    "2020-02-29T23:59:59.999Z",
    "2020-03-06T08:00:00+08:00",
    "2020-03-06T00:00:00Z",
    "2020",
    "2020-02",
    "2020-03-06T00:00:00.5-1130",
    "2019-12-31T24:00:00",
    "0000-01-01",
    "9999-12-31T23:00:00-23:59",
    /* Dates that do not exist, which rule set files may not name. */
    "2021-02-29",
    "2020-13-01",
};
#define DATES_WRONG 2
#define DATES_FIRST 10
#define DATES_RIGHT ((uint32_t)COUNT(texts) - DATES_FIRST - DATES_WRONG)
static const char *const numbers[] = {"0", "1", "-1", "2", "3730", "310000", "9007199254740991", "14", "-0"};
static const char *const paths[] = {"a",        "b",       "b.c",   "b.d",     "list",  "list.0",
                                    "list.1.c", "dates.0", "dates", "nothing", "x.y.z", ""};
static const char *const lambda_paths[] = {"accumulator", "current", "accumulator.0", "current.c", "", "other"};
static const char *const fact_paths[] = {
    "credential.issuer",
    "credential.class",
    "credential.region",
    "credential.roles",
    "credential.roles.0",
    "credential.arrival",
    "status.colour",
    "status.colour",
    "status.key_region",
    "status.until",
    "point.class",
    "point.district",
    "evidence.temperature",
    "evidence.temperature",
    "evidence.registered",
    "evidence.sms",
    "now",
};

static void random_text(struct random_logic *random, FILE *out)
{
    uint32_t count = (uint32_t)COUNT(texts) - (random->facts ? DATES_WRONG : 0);
    fprintf(out, "\"%s\"", texts[random_below(random, count)]);
}

static void random_scalar(struct random_logic *random, FILE *out)
{
    uint32_t which = random_below(random, 8);
    if (which < 4)
        random_text(random, out);
    else if (which < 7)
        fputs(numbers[random_below(random, COUNT(numbers))], out);
    else
        fputs(random_below(random, 2) ? "true" : "false", out);
}

/* `lambda` says that the paths are those of a reduce. */
static void expression(struct random_logic *random, FILE *out, unsigned depth, bool lambda);

static void random_var(struct random_logic *random, FILE *out, bool lambda)
{
    const char *path;
    if (lambda)
        path = lambda_paths[random_below(random, random->facts ? COUNT(lambda_paths) - 1 : COUNT(lambda_paths))];
    else if (random->facts)
        path = fact_paths[random_below(random, COUNT(fact_paths))];
    else
        path = paths[random_below(random, COUNT(paths))];
    fprintf(out, "{\"var\":\"%s\"}", path);
}

static void random_array(struct random_logic *random, FILE *out, unsigned depth, bool lambda)
{
    uint32_t count = random_below(random, 4);
    fputc('[', out);
    for (uint32_t i = 0; i < count; i++) {
        fputs(i ? "," : "", out);
        if (random_below(random, 3))
            random_scalar(random, out);
        else
            expression(random, out, depth, lambda);
    }
    fputc(']', out);
}

static void operands(struct random_logic *random, FILE *out, unsigned depth, bool lambda, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        fputs(i ? "," : "", out);
        expression(random, out, depth, lambda);
    }
    fputs("]}", out);
}

static void random_plus_time(struct random_logic *random, FILE *out, unsigned depth, bool lambda)
{
    static const char *const units[] = {"year", "month", "day", "hour"};
    static const char *const amounts[] = {"0", "1", "-1", "14", "-18", "1000", "-13", "100000000"};
    fputs("{\"plusTime\":[", out);
    if (random_below(random, 2))
        fprintf(out, "\"%s\"", texts[DATES_FIRST + random_below(random, DATES_RIGHT)]);
    else
        expression(random, out, depth, lambda);
    fprintf(out, ",%s,\"%s\"]}", amounts[random_below(random, COUNT(amounts))], units[random_below(random, 4)]);
}

static void random_comparison(struct random_logic *random, FILE *out, unsigned depth, bool lambda)
{
    static const char *const times[] = {"before", "after", "not-before", "not-after"};
    static const char *const relations[] = {"<", ">", "<=", ">="};
    uint32_t count = 2 + random_below(random, 2);
    if (random_below(random, 2)) {
        fprintf(out, "{\"%s\":[", relations[random_below(random, 4)]);
        for (uint32_t i = 0; i < count; i++) {
            fputs(i ? "," : "", out);
            if (random_below(random, 2))
                fputs(numbers[random_below(random, COUNT(numbers))], out);
            else
                expression(random, out, depth, lambda);
        }
    } else {
        fprintf(out, "{\"%s\":[", times[random_below(random, 4)]);
        for (uint32_t i = 0; i < count; i++) {
            fputs(i ? "," : "", out);
            random_plus_time(random, out, depth, lambda);
        }
    }
    fputs("]}", out);
}

static void random_reduce(struct random_logic *random, FILE *out, unsigned depth, bool lambda)
{
    fputs("{\"reduce\":[", out);
    if (random_below(random, 2))
        random_array(random, out, depth, lambda);
    else
        random_var(random, out, lambda);
    fputc(',', out);
    expression(random, out, depth, true);
    fputc(',', out);
    expression(random, out, depth, lambda);
    fputs("]}", out);
}

static void random_extract(struct random_logic *random, FILE *out, unsigned depth, bool lambda)
{
    fputs("{\"extractFromUVCI\":[", out);
    expression(random, out, depth, lambda);
    fprintf(out, ",%d]}", (int)random_below(random, 6) - 1);
}

static void expression(struct random_logic *random, FILE *out, unsigned depth, bool lambda)
{
    uint32_t which = depth == 0 ? random_below(random, 5) : random_below(random, 18);
    depth -= depth > 0;
    if (which < 3) {
        random_var(random, out, lambda);
    } else if (which < 5) {
        random_scalar(random, out);
    } else if (which < 8) {
        fputs("{\"and\":[", out);
        operands(random, out, depth, lambda, 2 + random_below(random, 3));
    } else if (which < 10) {
        fputs("{\"===\":[", out);
        operands(random, out, depth, lambda, 2);
    } else if (which == 10) {
        fputs("{\"if\":[", out);
        operands(random, out, depth, lambda, 3);
    } else if (which == 11) {
        fputs("{\"!\":[", out);
        operands(random, out, depth, lambda, 1);
    } else if (which == 12) {
        fputs("{\"in\":[", out);
        expression(random, out, depth, lambda);
        fputc(',', out);
        if (random_below(random, 4))
            random_array(random, out, depth, lambda);
        else
            expression(random, out, depth, lambda);
        fputs("]}", out);
    } else if (which == 13) {
        random_reduce(random, out, depth, lambda);
    } else if (which == 14) {
        random_array(random, out, depth, lambda);
    } else if (which == 15) {
        random_plus_time(random, out, depth, lambda);
    } else if (which == 16) {
        random_comparison(random, out, depth, lambda);
    } else if (random_below(random, 2)) {
        random_extract(random, out, depth, lambda);
    } else if (random_below(random, 2)) {
        fputs("{\"+\":[", out);
        operands(random, out, depth, lambda, 2);
    } else {
        fputs("{\"dccDateOfBirth\":[", out);
        operands(random, out, depth, lambda, 1);
    }
}

void random_expression(struct random_logic *random, FILE *out, unsigned depth)
{
    expression(random, out, depth, false);
}

static void member(struct random_logic *random, FILE *out, const char *name)
{
    fprintf(out, "\"%s\":", name);
    if (random_below(random, 8) == 0)
        fputs("null", out);
    else if (random_below(random, 8) == 0)
        fputs("1.5", out);
    else
        random_scalar(random, out);
}

void random_data(struct random_logic *random, FILE *out)
{
    if (random_below(random, 16) == 0) {
        random_scalar(random, out);
        return;
    }
    fputc('{', out);
    member(random, out, "a");
    fputs(",\"b\":{", out);
    member(random, out, "c");
    fputc(',', out);
    member(random, out, "d");
    fputs("},\"list\":[", out);
    for (uint32_t i = 0, count = random_below(random, 4); i < count; i++) {
        fputs(i ? ",{" : "{", out);
        member(random, out, "c");
        fputc('}', out);
    }
    fputs("],\"dates\":[", out);
    for (uint32_t i = 0, count = random_below(random, 3); i < count; i++) {
        fputs(i ? "," : "", out);
        random_text(random, out);
    }
    fputs("]}", out);
}
