/* `chengmen explain --questions FILE`: many questions at once, a JSON object a line; what comes out is what
 * `rules apply --dry-run --replay` reads. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/client.h"
#include "control/cli/evidence.h"
#include "control/cli/explain.h"
#include "control/times.h"

#define QUESTIONS_SIZE_MAX (1u << 30)

static bool read_flag(const struct json_place *evidence, const char *name, bool *has, bool *value,
                      struct json_problems *problems)
{
    struct json_place place = json_member(evidence, name);
    *has = place.value != NULL;
    return !place.value || json_bool(&place, value, problems);
}

static bool read_text(const struct json_place *object, const char *name, size_t max, const char **out,
                      struct json_problems *problems)
{
    struct json_place place = json_member(object, name);
    return !place.value || json_text(&place, 0, max, out, problems);
}

static bool read_evidence(const struct json_place *evidence, struct chengmen_scan_request *r,
                          struct json_problems *problems)
{
    static const char *const known[] = {"temperature", "sms",        "consent", "id_checked",
                                        "mask",        "registered", "form",    NULL};
    struct json_place temperature = json_member(evidence, "temperature");
    int64_t centi = 0;
    if (!evidence->value)
        return true;
    if (!json_known_members(evidence, known, problems))
        return false;
    r->has_temperature = temperature.value != NULL;
    bool ok = !temperature.value || json_int(&temperature, INT16_MIN, INT16_MAX, &centi, problems);
    r->temperature_c = (int32_t)centi;
    ok = read_flag(evidence, "consent", &r->has_consent, &r->consent, problems) && ok;
    ok = read_flag(evidence, "id_checked", &r->has_id_checked, &r->id_checked, problems) && ok;
    ok = read_flag(evidence, "mask", &r->has_mask, &r->mask, problems) && ok;
    ok = read_flag(evidence, "registered", &r->has_registered, &r->registered, problems) && ok;
    ok = read_text(evidence, "sms", CHENGMEN_SCAN_TEXT_MAX, &r->sms, problems) && ok;
    return read_text(evidence, "form", CHENGMEN_SCAN_TEXT_MAX, &r->form, problems) && ok;
}

static bool read_at(const struct json_place *root, struct explain_question *q, struct json_problems *problems)
{
    struct json_place at = json_member(root, "at");
    const char *text;
    if (!at.value)
        return true;
    if (cJSON_IsNumber(at.value))
        return json_uint(&at, 0, UINT32_MAX, &q->now_s, problems);
    if (!json_text(&at, 1, 64, &text, problems))
        return false;
    if (time_from_text(text, q->now_s, &q->now_s))
        return true;
    json_refuse(problems, &at, "a time is wanted: seconds since 1970 or a date-time");
    return false;
}

static bool read_seen(const struct json_place *root, struct sighting *seen, struct json_problems *problems)
{
    static const char *const known[] = {"zone", "age", NULL};
    struct json_place place = json_member(root, "seen"), zone = json_member(&place, "zone"),
                      age = json_member(&place, "age");
    uint64_t zone_number, age_s;
    if (!place.value)
        return true;
    if (!json_known_members(&place, known, problems) || !json_uint(&zone, 0, REPLAY_ZONE_MAX, &zone_number, problems) ||
        !json_uint(&age, 0, UINT16_MAX, &age_s, problems))
        return false;
    *seen = (struct sighting){.seen = true, .zone = (uint32_t)zone_number, .age_s = (uint32_t)age_s};
    return true;
}

/* What the point says of itself. */
static bool read_said(const struct json_place *root, struct chengmen_scan_request *r, struct json_problems *problems)
{
    static const char *const directions[] = {"in", "out", NULL};
    struct json_place time = json_member(root, "time"), direction = json_member(root, "direction");
    unsigned which = 0;
    r->has_time = time.value != NULL;
    r->has_direction = direction.value != NULL;
    bool ok = !time.value || json_uint(&time, 0, JSON_INTEGER_MAX, &r->time_s, problems);
    ok = (!direction.value || json_choice(&direction, directions, &which, problems)) && ok;
    r->direction = (uint8_t)which;
    return ok;
}

static bool read_question(const cJSON *tree, struct evidence_arguments *e, struct explain_question *q,
                          struct json_problems *problems)
{
    static const char *const known[] = {"point", "code", "pass", "at", "evidence", "seen", "time", "direction", NULL};
    struct json_place root = json_root(tree), point = json_member(&root, "point"),
                      evidence = json_member(&root, "evidence");
    const char *code = "", *pass = NULL;
    uint64_t number;
    bool ok = json_known_members(&root, known, problems) && json_uint(&point, 0, UINT32_MAX, &number, problems);
    ok = ok && read_text(&root, "code", CHENGMEN_SCAN_CODE_MAX, &code, problems) &&
         read_text(&root, "pass", CHENGMEN_SCAN_CODE_MAX, &pass, problems) && read_at(&root, q, problems) &&
         read_seen(&root, &q->seen, problems) && read_said(&root, &e->request, problems) &&
         read_evidence(&evidence, &e->request, problems);
    if (!ok)
        return false;
    q->point = (uint32_t)number;
    e->request.code = code;
    e->request.code_size = strlen(code);
    if (pass && (strncmp(pass, "SC1:", 4) != 0 || !evidence_take(e, EVIDENCE_PASS, pass))) {
        json_refuse(problems, &root, "\"pass\" is no SC1: text");
        return false;
    }
    return true;
}

static bool answer_line(struct snapshot *snapshot, const struct explain_question *common, struct bytes line,
                        struct json_problems *problems)
{
    static struct evidence_arguments evidence;
    struct explain_question q = *common;
    char error[512];
    memset(&evidence, 0, sizeof evidence);
    cJSON *tree = json_parse(line, problems);
    bool ok = tree && read_question(tree, &evidence, &q, problems);
    q.shown = &evidence.request;
    cJSON *told = ok ? explain(snapshot, &q, error, sizeof error) : NULL;
    if (ok && !told)
        json_refuse(problems, &(struct json_place){0}, "%s", error);
    if (told)
        cli_print_json(told);
    cJSON_Delete(told);
    cJSON_Delete(tree);
    return told != NULL;
}

int explain_questions(struct snapshot *snapshot, const struct explain_question *question, const char *path)
{
    size_t length;
    struct json_problems problems = {0};
    char *text = cli_read_file(path, QUESTIONS_SIZE_MAX, &length);
    int code = !text ? CLI_REFUSED : strlen(text) != length ? cli_refuse("%s: a zero byte is no JSON", path) : CLI_OK;
    uint64_t number = 1;
    for (char *rest = text, *line; code == CLI_OK && (line = strsep(&rest, "\n")); number++) {
        if (!*line || answer_line(snapshot, question, bytes_of_text(line), &problems))
            continue;
        code = cli_refuse("%s: line %" PRIu64 ": %s%s%s", path, number, problems.items[0].pointer,
                          problems.items[0].pointer[0] ? ": " : "", problems.items[0].message);
    }
    json_problems_free(&problems);
    free(text);
    return code;
}
