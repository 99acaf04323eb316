#include "control/rules_json.h"

#include <math.h>
#include <stdlib.h>

#include "control/json_internal.h"
#include "control/rules_program.h"
#include "dataplane/date_time.h"

#define SAME_POINT_S_DEFAULT 5
#define SAME_POINT_S_MAX 3600
#define NOTE_MAX 4096
#define ARRAY_MAX 16384
#define REASON_NAME_MAX 64

/* A date-time that says its offset, or `open` where it is null or absent. */
static bool read_time(const struct json_place *place, uint64_t open, uint64_t *out, struct json_problems *problems)
{
    const char *text;
    int64_t ms;
    *out = open;
    if (!place->value || cJSON_IsNull(place->value))
        return true;
    if (!json_text(place, 0, 64, &text, problems))
        return false;
    if (!date_time_parse(bytes_of_text(text), &ms) || !date_time_has_offset(bytes_of_text(text)) || ms < 0) {
        json_refuse(problems, place, "date-time with an offset expected, as 2020-03-06T00:00:00+08:00");
        return false;
    }
    *out = (uint64_t)ms / 1000;
    return true;
}

static bool read_span(const struct json_place *object, uint64_t *from_s, uint64_t *to_s, struct json_problems *problems)
{
    struct json_place from = json_member(object, "from"), to = json_member(object, "to");
    bool ok = read_time(&from, 0, from_s, problems);
    ok = read_time(&to, UINT64_MAX, to_s, problems) && ok;
    if (ok && *from_s >= *to_s) {
        json_refuse(problems, &to, "not after \"from\"");
        return false;
    }
    return ok;
}

static bool check_note(const struct json_place *object, struct json_problems *problems)
{
    const char *text;
    struct json_place note = json_member(object, "note");
    return !note.value || json_text(&note, 0, NOTE_MAX, &text, problems);
}

/* What the program's form bounds although the language does not. */
static bool check_literals(const struct json_place *place, struct json_problems *problems)
{
    const cJSON *value = place->value;
    bool ok = true;
    size_t index = 0;
    if (cJSON_IsString(value) && strlen(value->valuestring) > RULE_TEXT_MAX) {
        json_refuse(problems, place, "text longer than %u bytes", RULE_TEXT_MAX);
        ok = false;
    }
    if (cJSON_IsNumber(value) && fabs(value->valuedouble) > (double)JSON_INTEGER_MAX) {
        json_refuse(problems, place, "number that is not exact");
        ok = false;
    }
    if (cJSON_IsArray(value) && cJSON_GetArraySize(value) > ARRAY_MAX) {
        json_refuse(problems, place, "array of more than %u items", ARRAY_MAX);
        ok = false;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, value)
    {
        struct json_place child = {item, place, item->string, index++};
        int64_t ms;
        if (cJSON_IsObject(value) && strcmp(item->string, "plusTime") == 0 && cJSON_IsString(item->child) &&
            !date_time_parse(bytes_of_text(item->child->valuestring), &ms)) {
            struct json_place date = json_item(&child, item->child, 0);
            json_refuse(problems, &date, "not a date or date-time: %s", item->child->valuestring);
            ok = false;
        }
        ok = check_literals(&child, problems) && ok;
    }
    return ok;
}

static bool check_expression(const struct json_place *place, struct json_problems *problems)
{
    if (!place->value) {
        json_refuse(problems, place, "missing");
        return false;
    }
    return certlogic_validate(place, problems) && check_literals(place, problems);
}

static bool read_reason(const struct json_place *place, enum reason *out, struct json_problems *problems)
{
    const char *name;
    if (!json_text(place, 1, REASON_NAME_MAX, &name, problems))
        return false;
    if (reason_from_name(name, out) && reason_ending(*out) == ENDING_RULE)
        return true;
    json_refuse(problems, place, "not a reason that a row may give: %s", name);
    return false;
}

static bool read_obligations(const struct json_place *place, uint32_t *out, struct json_problems *problems)
{
    bool ok = true;
    size_t index = 0;
    *out = 0;
    if (!place->value)
        return true;
    if (!json_is_array(place, problems))
        return false;
    const cJSON *item;
    cJSON_ArrayForEach(item, place->value)
    {
        struct json_place at = json_item(place, item, index++);
        enum obligation obligation;
        const char *name;
        if (!json_text(&at, 1, REASON_NAME_MAX, &name, problems)) {
            ok = false;
        } else if (!obligation_from_name(name, &obligation)) {
            json_refuse(problems, &at, "unknown obligation: %s", name);
            ok = false;
        } else if (*out & 1u << obligation) {
            json_refuse(problems, &at, "obligation stands twice");
            ok = false;
        } else {
            *out |= 1u << obligation;
        }
    }
    return ok;
}

static bool read_answer(const struct json_place *object, struct program_row *row, struct json_problems *problems)
{
    static const char *const verdicts[] = {"ALLOW", "ALLOW_WITH_OBLIGATIONS", "NEED_EVIDENCE", "REFER", "DENY", NULL};
    struct json_place verdict = json_member(object, "verdict"), reason = json_member(object, "reason"),
                      obligations = json_member(object, "obligations");
    unsigned which;
    bool ok = json_choice(&verdict, verdicts, &which, problems);
    ok = read_reason(&reason, &row->reason, problems) && ok;
    ok = read_obligations(&obligations, &row->obligations, problems) && ok;
    if (!ok)
        return false;
    row->verdict = (enum verdict)which;
    if (row->verdict == VERDICT_ALLOW && row->obligations != 0) {
        json_refuse(problems, &obligations, "ALLOW has no obligations: ALLOW_WITH_OBLIGATIONS");
        return false;
    }
    if (row->verdict == VERDICT_ALLOW_WITH_OBLIGATIONS && row->obligations == 0) {
        json_refuse(problems, &obligations, "ALLOW_WITH_OBLIGATIONS names none");
        return false;
    }
    return true;
}

static bool read_id(struct rules_program *program, const struct json_place *object, struct program_row *row)
{
    struct json_place place = json_member(object, "id");
    bool added;
    if (!json_text(&place, 1, RULE_ID_MAX, &row->id, program->problems))
        return false;
    byte_set_add(&program->ids, bytes_of_text(row->id), &added);
    if (!added)
        json_refuse(program->problems, &place, "id stands twice: %s", row->id);
    return added;
}

static void read_row(struct rules_program *program, const struct json_place *list, const struct json_place *object)
{
    static const char *const known[] = {"id",     "from",        "to",    "when", "verdict",
                                        "reason", "obligations", "until", "note", NULL};
    struct program_row row = {.list = list, .index = object->index, .json = object->value, .until = RULE_NONE};
    struct json_place when = json_member(object, "when"), until = json_member(object, "until");
    if (!json_is_object(object, program->problems))
        return;
    json_known_members(object, known, program->problems);
    check_note(object, program->problems);
    read_id(program, object, &row);
    read_span(object, &row.from_s, &row.to_s, program->problems);
    read_answer(object, &row, program->problems);
    if (program->row_count == program->row_room) {
        program->row_room = program->row_room ? program->row_room * 2 : 64;
        program->rows = json_grow(program->rows, program->row_room * sizeof *program->rows);
    }
    if (check_expression(&when, program->problems))
        program_condition(program, &row, &when);
    if (until.value && !cJSON_IsNull(until.value) && check_expression(&until, program->problems))
        row.until = program_code(program, &until);
    program->rows[program->row_count++] = row;
}

static uint32_t read_rows(struct rules_program *program, const struct json_place *list)
{
    size_t index = 0;
    uint32_t before = program->row_count;
    if (!json_is_array(list, program->problems))
        return 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, list->value)
    {
        struct json_place object = json_item(list, item, index++);
        if (program->row_count == RULE_ROWS_MAX) {
            json_refuse(program->problems, &object, "more than %u rows", RULE_ROWS_MAX);
            break;
        }
        read_row(program, list, &object);
    }
    return program->row_count - before;
}

static void read_venues(struct rules_program *program)
{
    if (!program->venues_place.value || !json_is_object(&program->venues_place, program->problems))
        return;
    int count = cJSON_GetArraySize(program->venues_place.value);
    if (count > RULE_LISTS_MAX - 1) {
        json_refuse(program->problems, &program->venues_place, "more than %d venue classes", RULE_LISTS_MAX - 1);
        return;
    }
    program->venues = json_grow(NULL, ((size_t)count + 1) * sizeof *program->venues);
    const cJSON *item;
    cJSON_ArrayForEach(item, program->venues_place.value)
    {
        struct program_venue *venue = &program->venues[program->venue_count];
        *venue = (struct program_venue){.venue_class = item->string};
        venue->place = (struct json_place){item, &program->venues_place, item->string, 0};
        size_t length = strlen(item->string);
        if (length == 0 || length > RULE_ID_MAX)
            json_refuse(program->problems, &venue->place, "venue class of 1 to %u bytes expected", RULE_ID_MAX);
        venue->row_count = read_rows(program, &venue->place);
        program->venue_count++;
    }
}

static bool read_issuer(const struct json_place *place, struct bytes *out, struct json_problems *problems)
{
    const char *text;
    if (!json_text(place, 1, CREDENTIAL_ISSUER_MAX, &text, problems))
        return false;
    *out = bytes_of_text(text);
    return true;
}

static void read_equivalence(struct rules_program *program, const struct json_place *object)
{
    static const char *const known[] = {"issuer", "as", "from", "to", "note", NULL};
    static const char *const ways[] = {"pending", "equal", NULL};
    struct rule_equivalence *row = &program->equivalences[program->equivalence_count];
    struct json_place issuer = json_member(object, "issuer"), as = json_member(object, "as");
    unsigned which;
    if (!json_known_members(object, known, program->problems))
        return;
    check_note(object, program->problems);
    bool ok = read_issuer(&issuer, &row->issuer, program->problems);
    ok = json_choice(&as, ways, &which, program->problems) && ok;
    ok = read_span(object, &row->from_s, &row->to_s, program->problems) && ok;
    if (!ok)
        return;
    row->as = which == 1 ? EQUIVALENCE_EQUAL : EQUIVALENCE_PENDING;
    program->equivalence_count++;
}

static void read_issuers(struct rules_program *program)
{
    size_t index = 0;
    const cJSON *item;
    if (program->home.value && json_is_array(&program->home, program->problems)) {
        cJSON_ArrayForEach(item, program->home.value)
        {
            struct json_place place = json_item(&program->home, item, index++);
            struct bytes issuer;
            read_issuer(&place, &issuer, program->problems);
        }
        if (index > RULE_ISSUERS_MAX)
            json_refuse(program->problems, &program->home, "more than %u issuers", RULE_ISSUERS_MAX);
    }
    if (!program->equivalence.value || !json_is_array(&program->equivalence, program->problems))
        return;
    size_t count = (size_t)cJSON_GetArraySize(program->equivalence.value);
    if (count > RULE_ISSUERS_MAX) {
        json_refuse(program->problems, &program->equivalence, "more than %u rows", RULE_ISSUERS_MAX);
        return;
    }
    program->equivalences = json_grow(NULL, (count + 1) * sizeof *program->equivalences);
    index = 0;
    cJSON_ArrayForEach(item, program->equivalence.value)
    {
        struct json_place place = json_item(&program->equivalence, item, index++);
        read_equivalence(program, &place);
    }
}

static void read_head(struct rules_program *program)
{
    static const char *const known[] = {"version",      "issued",      "from", "to",     "note", "home",
                                        "same_point_s", "equivalence", "city", "venues", NULL};
    const struct json_place *root = &program->root;
    struct json_place version = json_member(root, "version"), issued = json_member(root, "issued"),
                      same_point = json_member(root, "same_point_s");
    uint64_t number = 0;
    if (!json_known_members(root, known, program->problems) && !cJSON_IsObject(root->value))
        return;
    check_note(root, program->problems);
    if (json_uint(&version, 1, UINT32_MAX, &number, program->problems))
        program->version = (uint32_t)number;
    if (!issued.value || cJSON_IsNull(issued.value))
        json_refuse(program->problems, &issued, "missing");
    read_time(&issued, 0, &program->issued_s, program->problems);
    read_span(root, &program->from_s, &program->to_s, program->problems);
    program->same_point_s = SAME_POINT_S_DEFAULT;
    if (same_point.value && json_uint(&same_point, 0, SAME_POINT_S_MAX, &number, program->problems))
        program->same_point_s = (uint32_t)number;
}

static void read_program(struct rules_program *program, const cJSON *tree)
{
    program->root = json_root(tree);
    program->home = json_member(&program->root, "home");
    program->equivalence = json_member(&program->root, "equivalence");
    program->city = json_member(&program->root, "city");
    program->venues_place = json_member(&program->root, "venues");
    read_head(program);
    if (!cJSON_IsObject(tree))
        return;
    read_issuers(program);
    if (program->city.value)
        program->city_count = read_rows(program, &program->city);
    read_venues(program);
}

static void summarize(const struct rules_program *program, size_t size, struct rules_summary *out)
{
    out->version = program->version;
    out->issued_s = program->issued_s;
    out->from_s = program->from_s;
    out->to_s = program->to_s;
    out->city_rows = program->city_count;
    out->venue_rows = program->row_count - program->city_count;
    out->venues = program->venue_count;
    out->equivalences = program->equivalence_count;
    out->tests = program->tests.count;
    out->codes = program->codes.count;
    out->program_size = size;
}

/* What the dataplane would refuse must be seen here and not there. */
static uint8_t *encode(struct rules_program *program, size_t *size)
{
    char error[128];
    uint8_t *bytes = program_encode(program, size);
    struct rule_set *rules;
    if (!bytes) {
        json_refuse(program->problems, &program->root, "rule set too large: its program does not fit a log record");
        return NULL;
    }
    rules = rule_set_load((struct bytes){bytes, *size}, error, sizeof error);
    if (!rules) {
        json_refuse(program->problems, &program->root, "%s", error);
        free(bytes);
        return NULL;
    }
    rule_set_free(rules);
    return bytes;
}

static void free_program(struct rules_program *program)
{
    certlogic_constants_free(&program->constants);
    byte_set_free(&program->codes);
    byte_set_free(&program->tests);
    byte_set_free(&program->ids);
    free(program->code_info);
    free(program->rows);
    free(program->venues);
    free(program->equivalences);
}

bool rules_compile(struct bytes text, bool warn, struct rules_summary *out, uint8_t **bytes, size_t *size,
                   struct json_problems *problems)
{
    struct rules_summary summary = {0};
    struct json_problems own = {0};
    struct rules_program program = {.constants.shared = true, .problems = problems ? problems : &own};
    size_t refused = program.problems->refused;
    cJSON *tree = json_parse(text, program.problems);
    *bytes = NULL;
    if (tree) {
        read_program(&program, tree);
        if (program.problems->refused == refused && program_bounds(&program, &summary))
            *bytes = encode(&program, size);
        if (warn && *bytes)
            program_warn(&program);
        if (*bytes)
            summarize(&program, *size, &summary);
    }
    free_program(&program);
    cJSON_Delete(tree);
    json_problems_free(&own);
    if (out)
        *out = summary;
    return *bytes != NULL;
}
