#include "control/rules_program.h"

#include <stdlib.h>

#include "control/json_internal.h"
#include "keys/cbor.h"
#include "keys/log.h"

static struct json_place row_place(const struct program_row *row)
{
    return json_item(row->list, row->json, row->index);
}

static struct machine_code code_of(const struct rules_program *program, uint32_t code, struct instruction *room)
{
    struct bytes bytes = program->codes.items[code];
    uint32_t count = (uint32_t)(bytes.length / sizeof *room);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *in = bytes.data + i * sizeof *room;
        room[i] = (struct instruction){in[0], in[1], (uint16_t)(in[2] | in[3] << 8),
                                       in[4] | (uint32_t)in[5] << 8 | (uint32_t)in[6] << 16 | (uint32_t)in[7] << 24};
    }
    return (struct machine_code){room, count, program->constants.values, program->constants.count};
}

/* The longest array that a program can loop over. */
static uint32_t array_max(const struct rules_program *program, struct instruction *room)
{
    uint32_t max = CREDENTIAL_ROLES_MAX;
    for (uint32_t i = 0; i < program->constants.count; i++)
        if (program->constants.values[i].kind == VALUE_ARRAY && program->constants.values[i].length > max)
            max = program->constants.values[i].length;
    for (uint32_t i = 0; i < program->codes.count; i++) {
        struct machine_code code = code_of(program, i, room);
        for (uint32_t k = 0; k < code.count; k++)
            if (room[k].operation == OP_ARRAY && room[k].count > max)
                max = room[k].count;
    }
    return max;
}

static size_t longest_code(const struct rules_program *program)
{
    size_t max = 0;
    for (uint32_t i = 0; i < program->codes.count; i++)
        max = program->codes.items[i].length > max ? program->codes.items[i].length : max;
    return max;
}

static uint64_t row_steps(const struct rules_program *program, const struct program_row *row)
{
    uint64_t steps = row->until == RULE_NONE ? 0 : program->code_info[row->until].bounds.steps;
    for (uint32_t i = 0; i < row->test_count; i++) {
        const struct rule_test *test = program_test(program, row->tests[i]);
        steps += test->kind == TEST_CODE ? program->code_info[test->operand].bounds.steps : 1;
        if (test->kind == TEST_ANY_OF && program->constants.values[test->operand].kind == VALUE_ARRAY)
            steps += program->constants.values[test->operand].length;
    }
    return steps;
}

/* Rows from first on, `count` of them; adds their steps to `list_steps`. */
static bool bound_rows(struct rules_program *program, uint32_t first, uint32_t count, uint64_t *list_steps,
                       struct rules_summary *out)
{
    bool ok = true;
    for (uint32_t i = first; i < first + count; i++) {
        uint64_t steps = row_steps(program, &program->rows[i]);
        if (steps > RULE_STEPS_MAX) {
            struct json_place place = row_place(&program->rows[i]);
            json_refuse(program->problems, &place, "takes up to %llu steps, %u are allowed", (unsigned long long)steps,
                        RULE_STEPS_MAX);
            ok = false;
        }
        out->row_steps_max = steps > out->row_steps_max ? (uint32_t)steps : out->row_steps_max;
        *list_steps += steps;
    }
    return ok;
}

static bool bound_list(struct rules_program *program, const struct json_place *place, uint64_t steps,
                       struct rules_summary *out)
{
    out->list_steps_max = steps > out->list_steps_max ? steps : out->list_steps_max;
    if (steps <= RULE_LIST_STEPS_MAX)
        return true;
    json_refuse(program->problems, place, "takes with the city's rows up to %llu steps, %u are allowed",
                (unsigned long long)steps, RULE_LIST_STEPS_MAX);
    return false;
}

static bool bound_lists(struct rules_program *program, struct rules_summary *out)
{
    uint64_t city_steps = 0;
    uint32_t first = program->city_count;
    bool ok = bound_rows(program, 0, program->city_count, &city_steps, out);
    ok = bound_list(program, &program->city, city_steps, out) && ok;
    for (uint32_t i = 0; i < program->venue_count; i++) {
        uint64_t steps = city_steps;
        ok = bound_rows(program, first, program->venues[i].row_count, &steps, out) && ok;
        ok = bound_list(program, &program->venues[i].place, steps, out) && ok;
        first += program->venues[i].row_count;
    }
    return ok;
}

bool program_bounds(struct rules_program *program, struct rules_summary *out)
{
    struct instruction *room = json_grow(NULL, longest_code(program) + sizeof *room);
    uint32_t longest = array_max(program, room);
    bool ok = true;
    for (uint32_t i = 0; i < program->codes.count; i++) {
        struct program_code *info = &program->code_info[i];
        struct machine_code code = code_of(program, i, room);
        struct json_place place = row_place(&program->rows[info->row]);
        const char *wrong = machine_check(&code, FACT_COUNT, longest, &info->bounds);
        if (!wrong && info->bounds.room + CREDENTIAL_ROLES_MAX > RULE_ROOM_MAX)
            wrong = "makes arrays that are too large";
        if (wrong) {
            json_refuse(program->problems, &place, "expression too large: %s", wrong);
            ok = false;
            continue;
        }
        out->stack_max = info->bounds.stack > out->stack_max ? info->bounds.stack : out->stack_max;
        out->room_max = info->bounds.room > out->room_max ? (uint32_t)info->bounds.room : out->room_max;
    }
    free(room);
    return ok && bound_lists(program, out);
}

static void put_scalar(struct cbor_writer *out, const struct value *value)
{
    if (value->kind == VALUE_TEXT)
        cbor_put_text(out, value_bytes(value));
    else if (value->kind == VALUE_BOOL)
        cbor_put_bool(out, value->boolean);
    else
        cbor_put_int(out, (int64_t)value->number);
}

static void put_constants(struct cbor_writer *out, const struct certlogic_constants *constants)
{
    cbor_put_array(out, constants->count);
    for (uint32_t i = 0; i < constants->count; i++) {
        const struct value *value = &constants->values[i];
        if (value->kind != VALUE_ARRAY) {
            put_scalar(out, value);
            continue;
        }
        cbor_put_array(out, value->length);
        for (uint32_t k = 0; k < value->length; k++)
            put_scalar(out, &value->items[k]);
    }
}

/* An open bound: true. */
static void put_bound(struct cbor_writer *out, int64_t bound, int64_t open)
{
    if (bound == open)
        cbor_put_bool(out, true);
    else
        cbor_put_int(out, bound);
}

static void put_test(struct cbor_writer *out, const struct rule_test *test)
{
    static const uint64_t fields[] = {3, 4, 6, 3};
    cbor_put_array(out, fields[test->kind]);
    cbor_put_uint(out, test->kind);
    cbor_put_bool(out, test->negated);
    cbor_put_uint(out, test->kind == TEST_CODE ? test->operand : (uint64_t)test->fact);
    if (test->kind == TEST_ANY_OF)
        cbor_put_uint(out, test->operand);
    if (test->kind == TEST_RANGE) {
        put_bound(out, test->low, INT64_MIN);
        put_bound(out, test->high, INT64_MAX);
        cbor_put_int(out, test->shift);
    }
}

static void put_row(struct cbor_writer *out, const struct program_row *row)
{
    cbor_put_array(out, 8);
    cbor_put_text(out, bytes_of_text(row->id));
    cbor_put_uint(out, row->verdict);
    cbor_put_uint(out, row->reason);
    cbor_put_uint(out, row->obligations);
    cbor_put_uint(out, row->from_s);
    cbor_put_uint(out, row->to_s);
    if (row->until == RULE_NONE)
        cbor_put_bool(out, false);
    else
        cbor_put_uint(out, row->until);
    cbor_put_array(out, row->test_count);
    for (uint32_t i = 0; i < row->test_count; i++)
        cbor_put_uint(out, row->tests[i]);
}

static void put_issuers(struct cbor_writer *out, const struct rules_program *program)
{
    cbor_put_uint(out, 7);
    cbor_put_array(out, (uint64_t)cJSON_GetArraySize(program->home.value));
    const cJSON *item;
    cJSON_ArrayForEach(item, program->home.value)
    {
        cbor_put_text(out, bytes_of_text(item->valuestring));
    }
    cbor_put_uint(out, 8);
    cbor_put_array(out, program->equivalence_count);
    for (uint32_t i = 0; i < program->equivalence_count; i++) {
        const struct rule_equivalence *row = &program->equivalences[i];
        cbor_put_array(out, 4);
        cbor_put_text(out, row->issuer);
        cbor_put_bool(out, row->as == EQUIVALENCE_EQUAL);
        cbor_put_uint(out, row->from_s);
        cbor_put_uint(out, row->to_s);
    }
}

static void put_head(struct cbor_writer *out, const struct rules_program *program)
{
    const uint64_t head[] = {RULES_FORMAT,    program->version, program->issued_s,
                             program->from_s, program->to_s,    program->same_point_s};
    for (unsigned i = 0; i < sizeof head / sizeof *head; i++) {
        cbor_put_uint(out, i + 1);
        cbor_put_uint(out, head[i]);
    }
}

uint8_t *program_encode(const struct rules_program *program, size_t *size)
{
    uint8_t *room = json_grow(NULL, LOG_PAYLOAD_MAX);
    struct cbor_writer out = cbor_write(room, LOG_PAYLOAD_MAX);
    cbor_put_map(&out, 14);
    put_head(&out, program);
    put_issuers(&out, program);
    cbor_put_uint(&out, 9);
    put_constants(&out, &program->constants);
    cbor_put_uint(&out, 10);
    cbor_put_array(&out, program->codes.count);
    for (uint32_t i = 0; i < program->codes.count; i++)
        cbor_put_bytes(&out, program->codes.items[i]);
    cbor_put_uint(&out, 11);
    cbor_put_array(&out, program->tests.count);
    for (uint32_t i = 0; i < program->tests.count; i++)
        put_test(&out, program_test(program, i));
    cbor_put_uint(&out, 12);
    cbor_put_array(&out, program->row_count);
    for (uint32_t i = 0; i < program->row_count; i++)
        put_row(&out, &program->rows[i]);
    cbor_put_uint(&out, 13);
    cbor_put_uint(&out, program->city_count);
    cbor_put_uint(&out, 14);
    cbor_put_array(&out, program->venue_count);
    for (uint32_t i = 0; i < program->venue_count; i++) {
        cbor_put_array(&out, 2);
        cbor_put_text(&out, bytes_of_text(program->venues[i].venue_class));
        cbor_put_uint(&out, program->venues[i].row_count);
    }
    if (out.failed) {
        free(room);
        return NULL;
    }
    *size = cbor_written(&out).length;
    return room;
}
