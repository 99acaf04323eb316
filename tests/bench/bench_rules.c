/* What a decision by rules costs: bench_rules [--json]. Rows are of the kind in control/examples/shanghai.json: three
 * to five conditions over colour, class, issuer, district, temperature, dates and evidence. Each request has facts of
 * its own; a third of them match no row, which is the dearest. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rules_json.h"
#include "dataplane/clock.h"
#include "dataplane/replay.h"
#include "dataplane/rules.h"
#include "keys/credential.h"
#include "keys/point.h"

#define NOW_S 1583452800 /* 2020-03-06T00:00:00Z */
#define REQUESTS 256
#define ROUNDS 1000

#define BURST 64
#define REPLAY_ENTRIES 60000000u

static uint64_t random_state = 88172645463325252u;

static uint32_t below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

static const char *const issuers[] = {"CN-310000", "CN-320000", "CN-330000", "CN-340000", "CN-420000"};
static const char *const occupations[] = {"teaching", "child-care", "medical", "household", "courier", "other"};
static const char *const colours[] = {"green", "yellow", "red"};
static const char *const classes[] = {"dynamic", "printed", "delegated", "enterprise"};

static void write_condition(FILE *out)
{
    switch (below(12)) {
    case 0:
        fprintf(out, "{\"===\":[{\"var\":\"status.colour\"},\"%s\"]}", colours[below(3)]);
        break;
    case 1:
        fprintf(out, "{\"===\":[{\"var\":\"credential.class\"},\"%s\"]}", classes[below(4)]);
        break;
    case 2:
        fprintf(out, "{\"in\":[{\"var\":\"credential.issuer\"},[\"%s\",\"%s\"]]}", issuers[below(5)],
                issuers[below(5)]);
        break;
    case 3:
        fprintf(out, "{\"===\":[{\"var\":\"credential.occupation\"},\"%s\"]}", occupations[below(6)]);
        break;
    case 4:
        fprintf(out, "{\"in\":[{\"var\":\"point.district\"},[3101%02u,3101%02u,3101%02u]]}", below(20), below(20),
                below(20));
        break;
    case 5:
        fprintf(out, "{\"<=\":[{\"var\":\"evidence.temperature\"},%u]}", 3700 + below(4) * 10);
        break;
    case 6:
        fprintf(out, "{\">\":[{\"var\":\"evidence.temperature\"},%u]}", 3700 + below(4) * 10);
        break;
    case 7:
        fputs("{\"var\":\"evidence.registered\"}", out);
        break;
    case 8:
        fprintf(out, "{\"!\":[{\"var\":\"evidence.%s\"}]}", below(2) ? "mask" : "pass");
        break;
    case 9:
        fprintf(out, "{\"===\":[{\"var\":\"point.group\"},\"group-%u\"]}", below(30));
        break;
    case 10:
        fprintf(
            out,
            "{\"after\":[{\"plusTime\":[{\"var\":\"now\"},0,\"day\"]},{\"plusTime\":[\"2020-03-%02u\",0,\"day\"]}]}",
            1 + below(10));
        break;
    default:
        fputs("{\"and\":[{\"var\":\"status.arrival\"},{\"before\":[{\"plusTime\":[{\"var\":\"now\"},0,\"day\"]},"
              "{\"plusTime\":[{\"var\":\"status.arrival\"},14,\"day\"]}]}]}",
              out);
    }
}

/* What a guess at a row's group and colour leaves to be decided further down. */
static void write_row(FILE *out, uint32_t index, const char *prefix)
{
    uint32_t count = 2 + below(3);
    fprintf(out, "%s{\"id\":\"%s-%u\",\"when\":{\"and\":[{\"===\":[{\"var\":\"point.group\"},\"group-%u\"]}",
            index ? "," : "", prefix, index, below(60));
    for (uint32_t i = 0; i < count; i++) {
        fputc(',', out);
        write_condition(out);
    }
    fputs("]},\"verdict\":\"ALLOW\",\"reason\":\"GREEN\"", out);
    if (below(4) == 0)
        fprintf(out, ",\"from\":\"2020-02-%02uT00:00:00+08:00\",\"to\":\"2020-%02u-01T00:00:00+08:00\"", 1 + below(28),
                3 + below(9));
    fputc('}', out);
}

static char *write_rules(uint32_t rows, size_t *size)
{
    char *text;
    FILE *out = open_memstream(&text, size);
    fputs("{\"version\":1,\"issued\":\"2020-03-06T00:00:00+08:00\",\"city\":[", out);
    for (uint32_t i = 0; i < rows / 10; i++)
        write_row(out, i, "C");
    fputs("],\"venues\":{\"hospital\":[", out);
    for (uint32_t i = 0; i < rows - rows / 10; i++)
        write_row(out, i, "H");
    fputs("]}}", out);
    fclose(out);
    return text;
}

static void make_facts(struct facts *facts)
{
    static char groups[64][16];
    uint32_t group = below(64);
    memset(facts, 0, sizeof *facts);
    snprintf(groups[group], sizeof groups[group], "group-%u", group);
    fact_set_number(facts, FACT_NOW, NOW_S);
    fact_set_text(facts, FACT_POINT_CLASS, bytes_of_text("hospital"));
    fact_set_text(facts, FACT_POINT_GROUP, bytes_of_text(groups[group]));
    fact_set_number(facts, FACT_POINT_DISTRICT, 310100 + below(20));
    fact_set_number(facts, FACT_POINT_MODE, POINT_MODE_ENFORCE);
    fact_set_text(facts, FACT_CREDENTIAL_ISSUER, bytes_of_text(issuers[below(5)]));
    fact_set_number(facts, FACT_CREDENTIAL_CLASS, below(4));
    fact_set_number(facts, FACT_STATUS_COLOUR, below(3));
    fact_set_integer(facts, FACT_EVIDENCE_TEMPERATURE, 3600 + below(150));
    if (below(2))
        fact_set_text(facts, FACT_CREDENTIAL_OCCUPATION, bytes_of_text(occupations[below(6)]));
    if (below(4) == 0)
        fact_set_number(facts, FACT_STATUS_ARRIVAL, NOW_S / 86400 - below(20));
    fact_set_number(facts, FACT_EVIDENCE_REGISTERED, below(2));
    fact_set_number(facts, FACT_EVIDENCE_MASK, below(2));
    fact_set_number(facts, FACT_EVIDENCE_PASS, below(2));
}

static struct rule_set *compile(uint32_t rows, double *compile_ms)
{
    size_t length, size;
    char *text = write_rules(rows, &length), error[128];
    uint8_t *program;
    struct json_problems problems = {0};
    uint64_t start = clock_monotonic_ns();
    if (!rules_compile((struct bytes){(const uint8_t *)text, length}, false, NULL, &program, &size, &problems)) {
        fprintf(stderr, "bench_rules: %s: %s\n", problems.items[0].pointer, problems.items[0].message);
        exit(1);
    }
    *compile_ms = (double)(clock_monotonic_ns() - start) / 1e6;
    struct rule_set *rules = rule_set_load((struct bytes){program, size}, error, sizeof error);
    if (!rules) {
        fprintf(stderr, "bench_rules: %s\n", error);
        exit(1);
    }
    free(program);
    free(text);
    return rules;
}

static double decide_ns(uint32_t rows, double *matched)
{
    static struct facts facts[REQUESTS];
    double compile_ms;
    uint64_t matches = 0, best = UINT64_MAX;
    struct rule_set *rules = compile(rows, &compile_ms);
    for (unsigned i = 0; i < REQUESTS; i++)
        make_facts(&facts[i]);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t start = clock_monotonic_ns();
        for (unsigned i = 0; i < REQUESTS; i++) {
            struct decision decision;
            decide(rules, &facts[i], &decision);
            matches += decision.rule != RULE_NONE;
        }
        uint64_t took = clock_monotonic_ns() - start;
        best = took < best ? took : best;
    }
    rule_set_free(rules);
    *matched = (double)matches / ROUNDS / REQUESTS;
    return (double)best / REQUESTS;
}

/* A note of a code, in bursts as the worker makes them, in a table as full as at a city's rush hour. */
static double replay_ns(uint32_t entries, uint32_t notes)
{
    static const uint8_t kid[COSE_KID_SIZE] = "issuer-1";
    static uint64_t codes[BURST];
    struct replay *replay = replay_new(entries, 1);
    if (!replay) {
        fputs("bench_rules: no memory for the replay table\n", stderr);
        exit(1);
    }
    for (uint64_t i = 0; i < entries; i++) { /* filled by the numbers that are measured later and others */
        uint64_t code = i * 0x9e3779b97f4a7c15u;
        replay_note(replay, kid, (const uint8_t *)&code, 1, 1, 1000);
    }
    double best = 1e9;
    for (unsigned turn = 0; turn < 5; turn++) {
        uint64_t began = clock_monotonic_ns();
        for (uint32_t done = 0; done < notes; done += BURST) {
            for (unsigned i = 0; i < BURST; i++) {
                codes[i] = ((uint64_t)below(UINT32_MAX) << 32) | below(UINT32_MAX);
                replay_prefetch(replay, kid, (const uint8_t *)&codes[i]);
            }
            for (unsigned i = 0; i < BURST; i++)
                replay_note(replay, kid, (const uint8_t *)&codes[i], 2, 2, 1030);
        }
        double ns = (double)(clock_monotonic_ns() - began) / notes;
        best = ns < best ? ns : best;
    }
    replay_free(replay);
    return best;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option != 'j') {
            puts("bench_rules [--json]: decisions by 200 and by 20 rows, compiling 10,000 rows");
            return option == 'h' ? 0 : 2;
        }
        json = true;
    }
    double compile_ms, matched_200, matched_20;
    rule_set_free(compile(10000, &compile_ms));
    double rows_200_ns = decide_ns(200, &matched_200), rows_20_ns = decide_ns(20, &matched_20);
    double replay = replay_ns(REPLAY_ENTRIES, 1u << 22);
    if (json)
        printf("{\"replay_ns\":%.1f,\"rows_200_ns\":%.1f,\"rows_20_ns\":%.1f,\"compile_10000_rows_ms\":%.1f,\"rows_200_"
               "matched\":%.3f,"
               "\"rows_20_matched\":%.3f}\n",
               replay, rows_200_ns, rows_20_ns, compile_ms, matched_200, matched_20);
    else
        printf("200 rows: %.1f ns a decision (%.0f %% by a row)\n20 rows: %.1f ns (%.0f %%)\ncompile and load 10,000 "
               "rows: %.1f ms\nreplay table of %u entries: %.1f ns a note\n",
               rows_200_ns, 100 * matched_200, rows_20_ns, 100 * matched_20, compile_ms, REPLAY_ENTRIES, replay);
    return 0;
}
