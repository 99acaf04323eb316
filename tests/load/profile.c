#include "tests/load/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/coap.h"
#include "dataplane/reasons.h"
#include "tests/load/profile_parts.h"

const char *const state_names[] = {"green", "yellow", "red", "revoked", NULL};
const char *const class_names[] = {"dynamic", "printed", "delegated", "enterprise", "venue-pass", NULL};
static const char *const verdict_names[] = {
    "ALLOW", "ALLOW_WITH_OBLIGATIONS", "NEED_EVIDENCE", "REFER", "DENY", "RETRY", NULL};
static const char *const kind_names[] = {"valid",       "replayed", "forged",    "expired",
                                         "unknown-key", "garbage",  "malformed", NULL};

static void read_retry(const struct json_place *root, struct profile *out, struct json_problems *problems)
{
    static const char *const known_retry[] = {"times", "after_ms", "jitter_ms", NULL};
    static const char *const known_repeat[] = {"share", "after_ms", NULL};
    struct json_place retry = json_member(root, "retry"), repeat = json_member(root, "repeat");
    uint64_t times = 0;
    if (retry.value && json_known_members(&retry, known_retry, problems)) {
        profile_uint(&retry, "times", 1, 20, &times, problems);
        out->retry_times = (uint32_t)times;
        profile_ms(&retry, "after_ms", &out->retry_after_ns, problems);
        profile_ms(&retry, "jitter_ms", &out->retry_jitter_ns, problems);
    }
    if (repeat.value && json_known_members(&repeat, known_repeat, problems)) {
        profile_number(&repeat, "share", 0, 1, &out->repeat_share, problems);
        profile_ms(&repeat, "after_ms", &out->repeat_after_ns, problems);
    }
}

static void read_points(const struct json_place *root, struct profile *out, struct json_problems *problems)
{
    static const char *const known[] = {"count", "zipf", NULL};
    struct json_place points = json_member(root, "points");
    uint64_t count = 1;
    if (json_known_members(&points, known, problems)) {
        profile_uint(&points, "count", 1, 4000000, &count, problems);
        profile_optional_number(&points, "zipf", 0, 5, &out->zipf, problems);
    }
    out->points = (uint32_t)count;
}

static void read_issuers(const struct json_place *root, struct profile *out, struct json_problems *problems)
{
    struct json_place issuers = json_member(root, "issuers");
    const cJSON *item;
    size_t index = 0;
    if (!json_is_array(&issuers, problems))
        return;
    cJSON_ArrayForEach(item, issuers.value)
    {
        struct json_place place = json_item(&issuers, item, index++);
        if (out->issuer_count == SIGN_ISSUERS_MAX) {
            json_refuse(problems, &place, "more than %d keys", SIGN_ISSUERS_MAX);
            return;
        }
        json_copy_text(&place, out->issuers[out->issuer_count++], sizeof out->issuers[0], problems);
    }
    if (out->issuer_count == 0)
        json_refuse(problems, &issuers, "at least one issuer is wanted");
}

/* Relative shares by name, scaled to sum to 1. */
static void read_shares(const struct json_place *root, const char *name, const char *const names[], double out[],
                        struct json_problems *problems)
{
    struct json_place shares = json_member(root, name);
    double sum = 0;
    if (!json_known_members(&shares, names, problems))
        return;
    for (size_t i = 0; names[i]; i++) {
        profile_optional_number(&shares, names[i], 0, 1e9, &out[i], problems);
        sum += out[i];
    }
    for (size_t i = 0; names[i] && sum > 0; i++)
        out[i] /= sum;
    if (sum <= 0)
        json_refuse(problems, &shares, "at least one share above 0 is wanted");
}

static void read_invalid(const struct json_place *root, struct profile *out, struct json_problems *problems)
{
    struct json_place invalid = json_member(root, "invalid");
    double sum = 0;
    if (invalid.value && json_known_members(&invalid, kind_names + 1, problems))
        for (unsigned kind = KIND_VALID + 1; kind_names[kind]; kind++) {
            profile_optional_number(&invalid, kind_names[kind], 0, 1, &out->kinds[kind], problems);
            sum += out->kinds[kind];
        }
    if (sum > 1)
        json_refuse(problems, &invalid, "shares are of all requests and sum to more than 1");
    out->kinds[KIND_VALID] = 1 - sum;
}

static int find_venue(const struct profile *profile, const char *name)
{
    for (uint32_t i = 0; i < profile->venue_count; i++)
        if (strcmp(profile->venues[i].class, name) == 0)
            return (int)i;
    return -1;
}

static void read_venues(const struct json_place *root, struct profile *out, struct json_problems *problems)
{
    static const char *const known[] = {"share", "evidence", NULL};
    struct json_place venues = json_member(root, "venues");
    const cJSON *item;
    double sum = 0;
    if (!json_is_object(&venues, problems))
        return;
    cJSON_ArrayForEach(item, venues.value)
    {
        struct json_place place = json_member(&venues, item->string);
        struct profile_venue *venue = &out->venues[out->venue_count];
        if (out->venue_count == PROFILE_VENUES_MAX || strlen(item->string) > PROFILE_NAME_MAX) {
            json_refuse(problems, &place, "one venue class too many, or its name too long");
            return;
        }
        out->venue_count++;
        strcpy(venue->class, item->string);
        if (!json_known_members(&place, known, problems))
            continue;
        profile_number(&place, "share", 0, 1e9, &venue->share, problems);
        struct json_place evidence = json_member(&place, "evidence");
        if (evidence.value)
            profile_evidence(&evidence, venue->evidence, &venue->evidence_length, problems);
        sum += venue->share;
    }
    for (uint32_t i = 0; i < out->venue_count && sum > 0; i++)
        out->venues[i].share /= sum;
    if (sum <= 0)
        json_refuse(problems, &venues, "at least one venue class with a share is wanted");
}

static int optional_choice(const struct json_place *row, const char *name, const char *const names[],
                           struct json_problems *problems)
{
    struct json_place place = json_member(row, name);
    unsigned chosen;
    return place.value && json_choice(&place, names, &chosen, problems) ? (int)chosen : -1;
}

static void read_obligations(const struct json_place *row, struct expectation *out, struct json_problems *problems)
{
    struct json_place list = json_member(row, "obligations");
    const cJSON *item;
    size_t index = 0;
    out->obligations = 0;
    if (!list.value || !json_is_array(&list, problems))
        return;
    cJSON_ArrayForEach(item, list.value)
    {
        struct json_place place = json_item(&list, item, index++);
        const char *name;
        enum obligation obligation;
        if (!json_text(&place, 1, 64, &name, problems))
            continue;
        if (obligation_from_name(name, &obligation))
            out->obligations |= 1u << obligation;
        else
            json_refuse(problems, &place, "no such obligation");
    }
}

static void read_row(const struct json_place *place, struct profile *out, struct json_problems *problems)
{
    static const char *const known[] = {"venue", "class", "colour", "kind", "verdict", "reason", "obligations", NULL};
    struct profile_row *row = &out->rows[out->row_count++];
    const char *name;
    *row = (struct profile_row){.venue = -1, .class = -1, .state = -1, .kind = -1};
    if (!json_known_members(place, known, problems))
        return;
    struct json_place venue = json_member(place, "venue"), reason = json_member(place, "reason");
    if (venue.value && json_text(&venue, 1, PROFILE_NAME_MAX, &name, problems) &&
        (row->venue = find_venue(out, name)) < 0)
        json_refuse(problems, &venue, "no such venue class here");
    row->class = optional_choice(place, "class", class_names, problems);
    row->state = optional_choice(place, "colour", state_names, problems);
    row->kind = optional_choice(place, "kind", kind_names, problems);
    struct json_place verdict = json_member(place, "verdict");
    unsigned chosen = 0;
    enum reason number = REASON_NONE;
    json_choice(&verdict, verdict_names, &chosen, problems);
    if (json_text(&reason, 1, 64, &name, problems) && !reason_from_name(name, &number))
        json_refuse(problems, &reason, "no such reason");
    row->expected = (struct expectation){
        .code = COAP_CONTENT, .verdict = (uint8_t)chosen, .colour = EXPECT_ANY, .reason = (uint8_t)number};
    read_obligations(place, &row->expected, problems);
}

static void read_rows(const struct json_place *root, struct profile *out, struct json_problems *problems)
{
    struct json_place rows = json_member(root, "expect");
    const cJSON *item;
    size_t index = 0;
    if (!json_is_array(&rows, problems))
        return;
    cJSON_ArrayForEach(item, rows.value)
    {
        struct json_place place = json_item(&rows, item, index++);
        if (out->row_count == PROFILE_ROWS_MAX) {
            json_refuse(problems, &place, "more than %d rows", PROFILE_ROWS_MAX);
            return;
        }
        read_row(&place, out, problems);
    }
}

static bool by_design(enum state state, enum request_kind kind, struct expectation *out)
{
    static const uint8_t reasons[KIND_COUNT] = {
        [KIND_FORGED] = REASON_SIGNATURE,
        [KIND_EXPIRED] = REASON_EXPIRED,
        [KIND_UNKNOWN_KEY] = REASON_KEY_UNKNOWN,
        [KIND_GARBAGE] = REASON_CREDENTIAL_FORM,
    };
    *out = (struct expectation){.code = COAP_CONTENT, .verdict = VERDICT_DENY, .colour = EXPECT_ANY};
    out->reason = reasons[kind];
    if (kind == KIND_MALFORMED)
        out->code = COAP_BAD_REQUEST;
    else if (out->reason == REASON_NONE && state == STATE_REVOKED)
        out->reason = REASON_REVOKED;
    return out->code != COAP_CONTENT || out->reason != REASON_NONE;
}

bool profile_expectation(const struct profile *profile, uint32_t venue, enum credential_class class, enum state state,
                         enum request_kind kind, struct expectation *out)
{
    bool designed = by_design(state, kind, out);
    for (uint32_t i = 0; i < profile->row_count; i++) {
        const struct profile_row *row = &profile->rows[i];
        bool fits = (row->venue < 0 || (uint32_t)row->venue == venue) && (row->class < 0 || row->class == (int)class) &&
                    (row->state < 0 || row->state == (int)state) && (row->kind < 0 || row->kind == (int)kind);
        bool meant = !designed || row->kind == (int)kind || (state == STATE_REVOKED && row->state == (int)state);
        if (!fits || !meant)
            continue;
        *out = row->expected;
        if (!designed)
            out->colour = (uint8_t)state; /* green, yellow, red have the numbers of enum colour */
        return true;
    }
    return designed;
}

/* Every request that the profile can make must have its answer. */
static void check_rows(const struct json_place *root, const struct profile *p, struct json_problems *problems)
{
    struct json_place rows = json_member(root, "expect");
    struct expectation ignored;
    for (uint32_t venue = 0; venue < p->venue_count; venue++)
        for (unsigned class = 0; class < CLASS_COUNT; class ++)
            for (unsigned state = 0; state < STATE_COUNT; state++)
                for (unsigned kind = 0; kind <= KIND_REPLAYED; kind++)
                    if (p->classes[class] > 0 && p->states[state] > 0 && p->kinds[kind] > 0 &&
                        !profile_expectation(p, venue, class, state, kind, &ignored))
                        json_refuse(problems, &rows, "no row says what %s, %s, %s, %s deserves", p->venues[venue].class,
                                    class_names[class], state_names[state], kind_names[kind]);
}

static void read_mix(const struct json_place *root, struct profile *out, struct json_problems *problems)
{
    read_points(root, out, problems);
    profile_uint(root, "subjects", 1000, UINT64_C(1) << 32, &out->subjects, problems);
    profile_uint(root, "pool", 1, 100000000, &out->pool, problems);
    profile_optional_number(root, "confirmable", 0, 1, &out->confirmable, problems);
    profile_optional_number(root, "text_share", 0, 1, &out->text_share, problems);
    read_issuers(root, out, problems);
    read_shares(root, "classes", class_names, out->classes, problems);
    read_shares(root, "colours", state_names, out->states, problems);
    read_invalid(root, out, problems);
    read_venues(root, out, problems);
    read_rows(root, out, problems);
}

static void read_root(const struct json_place *root, struct profile *out, struct json_problems *problems)
{
    static const char *const known[] = {"name",    "text",    "duration_s", "arrivals",    "timeout_ms", "rate",
                                        "retry",   "repeat",  "points",     "subjects",    "pool",       "issuers",
                                        "classes", "colours", "venues",     "confirmable", "text_share", "invalid",
                                        "expect",  "rules",   NULL};
    static const char *const arrivals[] = {"even", "poisson", NULL};
    struct json_place name = json_member(root, "name"), text = json_member(root, "text");
    struct json_place rules = json_member(root, "rules");
    if (!json_known_members(root, known, problems))
        return;
    json_copy_text(&name, out->name, sizeof out->name, problems);
    if (text.value)
        json_copy_text(&text, out->text, sizeof out->text, problems);
    if (rules.value)
        json_copy_text(&rules, out->rules, sizeof out->rules, problems);
    int chosen = optional_choice(root, "arrivals", arrivals, problems);
    out->arrivals = chosen == ARRIVALS_EVEN ? ARRIVALS_EVEN : ARRIVALS_POISSON;
    out->timeout_ns = 1000000000;
    profile_ms(root, "timeout_ms", &out->timeout_ns, problems);
    profile_rate(root, out, problems);
    read_retry(root, out, problems);
    if (out->capture[0]) {
        read_points(root, out, problems);
        return;
    }
    read_mix(root, out, problems);
    if (problems->refused == 0)
        check_rows(root, out, problems);
}

bool profile_read(struct bytes text, struct profile *out, struct json_problems *problems)
{
    memset(out, 0, sizeof *out);
    out->confirmable = 1;
    cJSON *tree = json_parse(text, problems);
    if (!tree)
        return false;
    struct json_place root = json_root(tree);
    read_root(&root, out, problems);
    cJSON_Delete(tree);
    return problems->refused == 0;
}

/* From the profile's place to where the program stands. */
static void place_rules(const char *path, struct profile *out)
{
    char relative[sizeof out->rules];
    const char *slash = strrchr(path, '/');
    if (!out->rules[0] || out->rules[0] == '/' || !slash)
        return;
    memcpy(relative, out->rules, sizeof relative);
    int length = snprintf(out->rules, sizeof out->rules, "%.*s/%s", (int)(slash - path), path, relative);
    if (length >= (int)sizeof out->rules)
        out->rules[0] = 0;
}

bool profile_load(const char *name, struct profile *out)
{
    char path[PROFILE_PATH_MAX + 1], error[256];
    struct bytes text;
    struct json_problems problems = {0};
    snprintf(path, sizeof path, "%s", name);
    if (!strchr(name, '/') && access(name, R_OK) != 0) {
        const char *directory = getenv("CHENGMEN_PROFILES");
        snprintf(path, sizeof path, "%s/%s.json", directory ? directory : CHENGMEN_PROFILES, name);
    }
    if (!json_read_file(path, &text, error, sizeof error)) {
        fprintf(stderr, "chengmen-load: %s\n", error);
        return false;
    }
    bool good = profile_read(text, out, &problems);
    if (!good) {
        char *lines = json_problems_text(&problems);
        fprintf(stderr, "chengmen-load: %s is no profile:\n%s", path, lines ? lines : "out of memory\n");
        free(lines);
    }
    json_problems_free(&problems);
    free((void *)(uintptr_t)text.data);
    if (good)
        place_rules(path, out);
    return good;
}
