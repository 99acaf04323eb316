#include "tests/load/profile_parts.h"

#include <stdio.h>

#include "keys/cbor.h"

#define RATE_MAX 1e9
#define DURATION_MAX_S 86400.0

void profile_number(const struct json_place *object, const char *name, double min, double max, double *out,
                    struct json_problems *problems)
{
    struct json_place place = json_member(object, name);
    if (!cJSON_IsNumber(place.value) || !(place.value->valuedouble >= min && place.value->valuedouble <= max))
        json_refuse(problems, &place, "a number from %g to %g is wanted", min, max);
    else
        *out = place.value->valuedouble;
}

void profile_optional_number(const struct json_place *object, const char *name, double min, double max, double *out,
                             struct json_problems *problems)
{
    if (json_member(object, name).value)
        profile_number(object, name, min, max, out, problems);
}

void profile_uint(const struct json_place *object, const char *name, uint64_t min, uint64_t max, uint64_t *out,
                  struct json_problems *problems)
{
    struct json_place place = json_member(object, name);
    json_uint(&place, min, max, out, problems);
}

void profile_ms(const struct json_place *object, const char *name, uint64_t *out, struct json_problems *problems)
{
    double ms = (double)*out / 1e6;
    profile_optional_number(object, name, 0, 3600e3, &ms, problems);
    *out = (uint64_t)(ms * 1e6);
}

static void add_piece(struct profile *out, double from_per_s, double to_per_s, double duration_s)
{
    if (duration_s > 0 && out->rate.count < SCHEDULE_PIECES_MAX)
        out->rate.pieces[out->rate.count++] = (struct schedule_piece){from_per_s, to_per_s, duration_s};
}

static void read_constant(const struct json_place *rate, struct profile *out, struct json_problems *problems)
{
    double per_s = 0;
    profile_number(rate, "per_s", 0, RATE_MAX, &per_s, problems);
    add_piece(out, per_s, per_s, out->duration_s);
}

static void read_ramp(const struct json_place *rate, struct profile *out, struct json_problems *problems)
{
    double from = 0, to = 0;
    profile_number(rate, "from_per_s", 0, RATE_MAX, &from, problems);
    profile_number(rate, "to_per_s", 0, RATE_MAX, &to, problems);
    add_piece(out, from, to, out->duration_s);
}

static void read_steps(const struct json_place *rate, struct profile *out, struct json_problems *problems)
{
    static const char *const known[] = {"per_s", "s", NULL};
    struct json_place steps = json_member(rate, "steps");
    const cJSON *item;
    size_t index = 0;
    if (!json_is_array(&steps, problems))
        return;
    cJSON_ArrayForEach(item, steps.value)
    {
        struct json_place step = json_item(&steps, item, index++);
        double per_s = 0, duration_s = 0;
        if (index > SCHEDULE_PIECES_MAX) {
            json_refuse(problems, &step, "more than %d steps", SCHEDULE_PIECES_MAX);
            return;
        }
        if (!json_known_members(&step, known, problems))
            continue;
        profile_number(&step, "per_s", 0, RATE_MAX, &per_s, problems);
        profile_number(&step, "s", 0.001, DURATION_MAX_S, &duration_s, problems);
        add_piece(out, per_s, per_s, duration_s);
    }
    out->duration_s = rate_duration_s(&out->rate);
}

static void read_storm(const struct json_place *rate, struct profile *out, struct json_problems *problems)
{
    double per_s = 0, times = 1, at_s = 0, for_s = 0;
    profile_number(rate, "per_s", 0, RATE_MAX, &per_s, problems);
    profile_number(rate, "times", 0, 1000, &times, problems);
    profile_number(rate, "at_s", 0, out->duration_s, &at_s, problems);
    profile_number(rate, "for_s", 0, out->duration_s - at_s, &for_s, problems);
    add_piece(out, per_s, per_s, at_s);
    add_piece(out, per_s * times, per_s * times, for_s);
    add_piece(out, per_s, per_s, out->duration_s - at_s - for_s);
}

/* Passages by the hour of a working day, as a share of the fuller peak: who leaves in the morning comes home. */
static const double by_hour[25] = {0.05, 0.03, 0.02, 0.02, 0.05, 0.20, 0.55, 0.95, 1.00, 0.60, 0.40, 0.40, 0.50,
                                   0.45, 0.40, 0.40, 0.50, 0.80, 0.95, 0.70, 0.45, 0.30, 0.20, 0.10, 0.05};

static void read_commuter(const struct json_place *rate, struct profile *out, struct json_problems *problems)
{
    double peak = 0;
    profile_number(rate, "peak_per_s", 0, RATE_MAX, &peak, problems);
    for (int hour = 0; hour < 24; hour++)
        add_piece(out, peak * by_hour[hour], peak * by_hour[hour + 1], out->duration_s / 24);
}

static void read_capture(const struct json_place *rate, struct profile *out, struct json_problems *problems)
{
    struct json_place file = json_member(rate, "file");
    json_copy_text(&file, out->capture, sizeof out->capture, problems);
    out->capture_speed = 1;
    profile_optional_number(rate, "speed", 0.001, 1000, &out->capture_speed, problems);
}

struct shape {
    const char *known[6];
    bool timed; /* duration_s belongs to it */
    void (*read)(const struct json_place *rate, struct profile *out, struct json_problems *problems);
};

static const char *const shape_names[] = {"constant", "ramp", "steps", "storm", "commuter", "capture", NULL};
static const struct shape shapes[] = {
    {{"shape", "per_s"}, true, read_constant},      {{"shape", "from_per_s", "to_per_s"}, true, read_ramp},
    {{"shape", "steps"}, false, read_steps},        {{"shape", "per_s", "times", "at_s", "for_s"}, true, read_storm},
    {{"shape", "peak_per_s"}, true, read_commuter}, {{"shape", "file", "speed"}, false, read_capture},
};

void profile_rate(const struct json_place *root, struct profile *out, struct json_problems *problems)
{
    struct json_place rate = json_member(root, "rate"), duration = json_member(root, "duration_s");
    struct json_place shape = json_member(&rate, "shape");
    unsigned chosen;
    if (!json_is_object(&rate, problems) || !json_choice(&shape, shape_names, &chosen, problems) ||
        !json_known_members(&rate, shapes[chosen].known, problems))
        return;
    if (shapes[chosen].timed)
        profile_number(root, "duration_s", 0.01, DURATION_MAX_S, &out->duration_s, problems);
    else if (duration.value)
        json_refuse(problems, &duration, "the rate of this shape has its own duration");
    shapes[chosen].read(&rate, out, problems);
}

/* In the order of the wire's labels, which ascend from 1; NULL where a profile cannot give one. */
static const char *const evidence_names[] = {"temperature", NULL,   "sms",        "consent",
                                             "id_checked",  "mask", "registered", "form"};

void profile_evidence(const struct json_place *evidence, uint8_t room[PROFILE_EVIDENCE_MAX], uint8_t *length,
                      struct json_problems *problems)
{
    static const char *const known[] = {"temperature", "sms",        "consent", "id_checked",
                                        "mask",        "registered", "form",    NULL};
    struct cbor_writer out = cbor_write(room, PROFILE_EVIDENCE_MAX);
    if (!json_known_members(evidence, known, problems) || cJSON_GetArraySize(evidence->value) == 0)
        return;
    cbor_put_map(&out, (uint64_t)cJSON_GetArraySize(evidence->value));
    for (unsigned label = 1; label <= 8; label++) {
        const char *name = evidence_names[label - 1], *text = "";
        struct json_place place = name ? json_member(evidence, name) : (struct json_place){0};
        uint64_t number = 0;
        bool flag = false;
        if (!place.value)
            continue;
        cbor_put_uint(&out, label);
        if (label == 1 && json_uint(&place, 0, 10000, &number, problems))
            cbor_put_uint(&out, number);
        else if ((label == 3 || label == 8) && json_text(&place, 1, 40, &text, problems))
            cbor_put_text(&out, bytes_of_text(text));
        else if (label != 1 && label != 3 && label != 8 && json_bool(&place, &flag, problems))
            cbor_put_bool(&out, flag);
    }
    *length = (uint8_t)cbor_written(&out).length;
}
