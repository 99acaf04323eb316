#include "keys/cbor.h"

#include <stdio.h>
#include <stdlib.h>

#include "dataplane/date_time.h"
#include "dataplane/rules_internal.h"

/* A constant of a program is a number that a double holds exactly. */
#define CONSTANT_NUMBER_MAX (INT64_C(1) << 53)
#define CONSTANTS_MAX 65536
#define CONSTANT_ITEMS_MAX 16384
#define CODES_MAX 65536
#define TESTS_MAX 262144
#define RANGE_SHIFT_MAX INT64_C(1000000000000)

struct load {
    struct rule_set *rules;
    struct cbor_reader in;
    const char *wrong;
    uint32_t array_max;
};

static bool wrong(struct load *load, const char *why)
{
    if (!load->wrong)
        load->wrong = why;
    return false;
}

/* Every part of the program is an entry of one map, in the order of its labels. */
static bool begin_entry(struct load *load, uint64_t label, const char *what)
{
    if (cbor_take_uint(&load->in) != label || load->in.failed)
        return wrong(load, what);
    return true;
}

static bool end_entry(struct load *load, const char *what)
{
    return !load->in.failed || wrong(load, what);
}

/* A zero count still gives memory, so that NULL means that there is none left. */
static void *take_memory(struct load *load, size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    if (!memory)
        wrong(load, "out of memory");
    return memory;
}

static bool load_head(struct load *load)
{
    struct rule_set *rules = load->rules;
    uint64_t head[6];
    for (unsigned i = 0; i < 6; i++) {
        if (!begin_entry(load, i + 1, "head expected"))
            return false;
        head[i] = cbor_take_uint(&load->in);
    }
    if (load->in.failed || head[0] != RULES_FORMAT)
        return wrong(load, "not a rule program of this format");
    if (head[1] > UINT32_MAX || head[3] >= head[4] || head[5] > UINT32_MAX)
        return wrong(load, "head out of range");
    rules->version = (uint32_t)head[1];
    rules->issued_s = head[2];
    rules->from_s = head[3];
    rules->to_s = head[4];
    rules->same_point_s = (uint32_t)head[5];
    return true;
}

static bool load_issuers(struct load *load)
{
    struct rule_set *rules = load->rules;
    if (!begin_entry(load, 7, "home issuers expected"))
        return false;
    uint32_t count = cbor_take_array(&load->in, RULE_ISSUERS_MAX);
    if (!(rules->home = take_memory(load, count, sizeof *rules->home)))
        return false;
    for (; rules->home_count < count && !load->in.failed; rules->home_count++)
        rules->home[rules->home_count] = cbor_take_text(&load->in);
    if (!end_entry(load, "home issuers malformed") || !begin_entry(load, 8, "equivalence expected"))
        return false;
    count = cbor_take_array(&load->in, RULE_ISSUERS_MAX);
    if (!(rules->equivalences = take_memory(load, count, sizeof *rules->equivalences)))
        return false;
    for (; rules->equivalence_count < count && !load->in.failed; rules->equivalence_count++) {
        struct rule_equivalence *row = &rules->equivalences[rules->equivalence_count];
        uint32_t fields = cbor_take_array(&load->in, 4);
        row->issuer = cbor_take_text(&load->in);
        row->as = cbor_take_bool(&load->in) ? EQUIVALENCE_EQUAL : EQUIVALENCE_PENDING;
        row->from_s = cbor_take_uint(&load->in);
        row->to_s = cbor_take_uint(&load->in);
        if (fields != 4)
            return wrong(load, "equivalence malformed");
    }
    return end_entry(load, "equivalence malformed");
}

static struct value load_scalar(struct load *load)
{
    enum cbor_type type = cbor_peek(&load->in);
    if (type == CBOR_TEXT) {
        struct bytes text = cbor_take_text(&load->in);
        if (text.length > RULE_TEXT_MAX)
            wrong(load, "text too long");
        return value_of_text(text);
    }
    if (type == CBOR_SIMPLE)
        return value_of_bool(cbor_take_bool(&load->in));
    int64_t number = cbor_take_int(&load->in);
    if (number > CONSTANT_NUMBER_MAX || number < -CONSTANT_NUMBER_MAX)
        wrong(load, "number out of range");
    return value_of_number((double)number);
}

static bool load_constants(struct load *load)
{
    struct rule_set *rules = load->rules;
    if (!begin_entry(load, 9, "constants expected"))
        return false;
    uint32_t count = cbor_take_array(&load->in, CONSTANTS_MAX);
    /* Every item takes at least a byte, so that the bytes left bound the items of all arrays. */
    size_t items_max = (size_t)(load->in.end - load->in.next);
    rules->constants = take_memory(load, count, sizeof *rules->constants);
    rules->items = take_memory(load, items_max, sizeof *rules->items);
    if (!rules->constants || !rules->items)
        return false;
    struct value *item = rules->items;
    load->array_max = CREDENTIAL_ROLES_MAX;
    for (; rules->constant_count < count && !load->in.failed; rules->constant_count++) {
        struct value *constant = &rules->constants[rules->constant_count];
        if (cbor_peek(&load->in) != CBOR_ARRAY) {
            *constant = load_scalar(load);
            continue;
        }
        uint32_t length = cbor_take_array(&load->in, CONSTANT_ITEMS_MAX);
        *constant = (struct value){.kind = VALUE_ARRAY, .length = length, .items = item};
        if (length > load->array_max)
            load->array_max = length;
        for (; length > 0 && !load->in.failed; length--)
            *item++ = load_scalar(load);
    }
    return end_entry(load, "constants malformed") && !load->wrong;
}

static struct instruction read_instruction(const uint8_t *in)
{
    return (struct instruction){
        .operation = in[0],
        .small = in[1],
        .count = (uint16_t)(in[2] | in[3] << 8),
        .operand = in[4] | (uint32_t)in[5] << 8 | (uint32_t)in[6] << 16 | (uint32_t)in[7] << 24,
    };
}

/* Arrays that code makes of its stack bound the loops over them like constant ones. */
static void count_array(struct load *load, const struct instruction *at)
{
    if (at->operation == OP_ARRAY && at->count > load->array_max)
        load->array_max = at->count;
}

static bool load_codes(struct load *load)
{
    struct rule_set *rules = load->rules;
    if (!begin_entry(load, 10, "codes expected"))
        return false;
    uint32_t count = cbor_take_array(&load->in, CODES_MAX);
    size_t room = (size_t)(load->in.end - load->in.next) / sizeof(struct instruction);
    rules->codes = take_memory(load, count, sizeof *rules->codes);
    rules->instructions = take_memory(load, room, sizeof *rules->instructions);
    if (!rules->codes || !rules->instructions)
        return false;
    struct instruction *next = rules->instructions;
    for (; rules->code_count < count && !load->in.failed; rules->code_count++) {
        struct bytes bytes = cbor_take_bytes(&load->in);
        uint32_t length = (uint32_t)(bytes.length / sizeof(struct instruction));
        if (bytes.length % sizeof(struct instruction) != 0 || bytes.length == 0)
            return wrong(load, "code malformed");
        rules->codes[rules->code_count].code =
            (struct machine_code){next, length, rules->constants, rules->constant_count};
        for (uint32_t i = 0; i < length; i++) {
            *next = read_instruction(bytes.data + i * sizeof(struct instruction));
            count_array(load, next++);
        }
    }
    return end_entry(load, "codes malformed");
}

/* Steps of each code, to be added up for each row. */
static bool check_codes(struct load *load, uint64_t *steps)
{
    for (uint32_t i = 0; i < load->rules->code_count; i++) {
        struct rule_code *code = &load->rules->codes[i];
        struct machine_bounds bounds;
        const char *why = machine_check(&code->code, FACT_COUNT, load->array_max, &bounds);
        if (why)
            return wrong(load, why);
        if (bounds.room + CREDENTIAL_ROLES_MAX > RULE_ROOM_MAX || bounds.steps > RULE_STEPS_MAX)
            return wrong(load, "code takes too much");
        code->errs = bounds.errs;
        steps[i] = bounds.steps;
    }
    return true;
}

static int64_t take_bound(struct load *load, int64_t open)
{
    if (cbor_peek(&load->in) != CBOR_SIMPLE)
        return cbor_take_int(&load->in);
    return cbor_take_bool(&load->in) ? open : INT64_MIN;
}

static bool number_like(enum fact fact)
{
    enum fact_type type = fact_type(fact);
    return type == FACT_TYPE_UINT || type == FACT_TYPE_INT || type == FACT_TYPE_TIME || type == FACT_TYPE_DAY;
}

static bool load_test(struct load *load, struct rule_test *test)
{
    const struct rule_set *rules = load->rules;
    uint32_t fields = cbor_take_array(&load->in, 6);
    uint64_t kind = cbor_take_uint(&load->in);
    test->negated = cbor_take_bool(&load->in);
    uint64_t subject = cbor_take_uint(&load->in);
    static const uint32_t fields_of[] = {3, 4, 6, 3};
    if (load->in.failed || kind > TEST_CODE || fields != fields_of[kind])
        return wrong(load, "test malformed");
    test->kind = (enum rule_test_kind)kind;
    if (kind == TEST_CODE) {
        test->operand = (uint32_t)subject;
        return subject < rules->code_count || wrong(load, "no such code");
    }
    if (subject >= FACT_COUNT)
        return wrong(load, "no such fact");
    test->fact = (enum fact)subject;
    if (kind == TEST_ANY_OF) {
        uint64_t constant = cbor_take_uint(&load->in);
        test->operand = (uint32_t)constant;
        return constant < rules->constant_count || wrong(load, "no such constant");
    }
    if (kind == TEST_RANGE) {
        test->low = take_bound(load, INT64_MIN);
        test->high = take_bound(load, INT64_MAX);
        test->shift = cbor_take_int(&load->in);
        if (!number_like(test->fact) || test->shift > RANGE_SHIFT_MAX || test->shift < -RANGE_SHIFT_MAX)
            return wrong(load, "range of a fact that has none");
    }
    return end_entry(load, "test malformed");
}

/* What a test takes at most: of code what `code_steps` says. */
static uint64_t test_steps(const struct rule_set *rules, const struct rule_test *test, const uint64_t *code_steps)
{
    if (test->kind == TEST_CODE)
        return code_steps[test->operand];
    if (test->kind == TEST_ANY_OF && rules->constants[test->operand].kind == VALUE_ARRAY)
        return 1 + rules->constants[test->operand].length;
    return 1;
}

static bool load_tests(struct load *load, struct rule_row *row, uint64_t *row_steps, const uint64_t *steps,
                       const struct rule_test *shared, uint32_t shared_count)
{
    struct rule_set *rules = load->rules;
    row->first_test = rules->test_count;
    row->test_count = cbor_take_array(&load->in, RULE_ROW_TESTS_MAX);
    if (row->test_count > TESTS_MAX - rules->test_count)
        return wrong(load, "too many tests");
    for (uint32_t i = 0; i < row->test_count; i++) {
        uint64_t index = cbor_take_uint(&load->in);
        if (load->in.failed || index >= shared_count)
            return wrong(load, "no such test");
        rules->tests[rules->test_count++] = shared[index];
        *row_steps += test_steps(rules, &shared[index], steps);
    }
    return true;
}

static bool load_row(struct load *load, struct rule_row *row, char **ids, const uint64_t *steps,
                     const struct rule_test *shared, uint32_t shared_count)
{
    struct rule_set *rules = load->rules;
    uint64_t row_steps = 0;
    uint32_t fields = cbor_take_array(&load->in, 8);
    struct bytes id = cbor_take_text(&load->in);
    uint64_t verdict = cbor_take_uint(&load->in);
    uint64_t reason = cbor_take_uint(&load->in);
    uint64_t obligations = cbor_take_uint(&load->in);
    row->from_s = cbor_take_uint(&load->in);
    row->to_s = cbor_take_uint(&load->in);
    row->until = RULE_NONE;
    if (cbor_peek(&load->in) == CBOR_SIMPLE) {
        cbor_take_bool(&load->in);
    } else {
        uint64_t until = cbor_take_uint(&load->in);
        if (load->in.failed || until >= rules->code_count)
            return wrong(load, "no such code");
        row->until = (uint32_t)until;
        row_steps += steps[until];
    }
    if (load->in.failed || fields != 8 || id.length == 0 || id.length > RULE_ID_MAX || memchr(id.data, 0, id.length))
        return wrong(load, "row malformed");
    if (verdict >= VERDICT_RETRY || reason >= REASON_LIMIT || reason_ending((enum reason)reason) != ENDING_RULE ||
        obligations >> OBLIGATION_COUNT != 0)
        return wrong(load, "row gives what no row may give");
    memcpy(*ids, id.data, id.length);
    row->id = *ids;
    *ids += id.length + 1;
    row->verdict = (enum verdict)verdict;
    row->reason = (enum reason)reason;
    row->obligations = (uint32_t)obligations;
    if (!load_tests(load, row, &row_steps, steps, shared, shared_count))
        return false;
    row->steps = (uint32_t)row_steps;
    return row_steps <= RULE_STEPS_MAX || wrong(load, "row takes too many steps");
}

static bool load_rows(struct load *load, const uint64_t *steps, struct rule_test *shared, uint32_t shared_count)
{
    struct rule_set *rules = load->rules;
    for (uint32_t i = 0; i < shared_count; i++)
        if (!load_test(load, &shared[i]))
            return false;
    if (!begin_entry(load, 12, "rows expected"))
        return false;
    uint32_t count = cbor_take_array(&load->in, RULE_ROWS_MAX);
    size_t bytes_left = (size_t)(load->in.end - load->in.next);
    rules->rows = take_memory(load, count, sizeof *rules->rows);
    rules->ids = take_memory(load, bytes_left, 1);
    /* Each test of a row takes a byte at least. */
    rules->tests = take_memory(load, bytes_left < TESTS_MAX ? bytes_left : TESTS_MAX, sizeof *rules->tests);
    if (!rules->rows || !rules->ids || !rules->tests)
        return false;
    char *ids = rules->ids;
    for (; rules->row_count < count; rules->row_count++)
        if (!load_row(load, &rules->rows[rules->row_count], &ids, steps, shared, shared_count))
            return false;
    return end_entry(load, "rows malformed");
}

static bool load_codes_and_rows(struct load *load)
{
    if (!load_codes(load))
        return false;
    uint64_t *steps = take_memory(load, load->rules->code_count, sizeof *steps);
    struct rule_test *shared = NULL;
    bool ok = steps && check_codes(load, steps) && begin_entry(load, 11, "tests expected");
    if (ok) {
        uint32_t count = cbor_take_array(&load->in, TESTS_MAX);
        shared = take_memory(load, count, sizeof *shared);
        ok = shared && load_rows(load, steps, shared, count);
    }
    free(steps);
    free(shared);
    return ok;
}

static bool load_lists(struct load *load)
{
    struct rule_set *rules = load->rules;
    if (!begin_entry(load, 13, "number of city rows expected"))
        return false;
    uint64_t city = cbor_take_uint(&load->in);
    if (load->in.failed || city > rules->row_count)
        return wrong(load, "too many city rows");
    rules->city_count = (uint32_t)city;
    if (!begin_entry(load, 14, "venues expected"))
        return false;
    uint32_t venues = cbor_take_array(&load->in, RULE_LISTS_MAX - 1);
    rules->lists = take_memory(load, venues + 1, sizeof *rules->lists);
    if (!rules->lists || !text_table_make(&rules->classes, venues))
        return wrong(load, "out of memory");
    rules->list_count = 1;
    uint64_t next = city;
    for (uint32_t i = 1; i <= venues; i++, rules->list_count++) {
        struct rule_list *list = &rules->lists[i];
        uint32_t fields = cbor_take_array(&load->in, 2);
        list->venue_class = cbor_take_text(&load->in);
        uint64_t count = cbor_take_uint(&load->in);
        if (load->in.failed || fields != 2 || list->venue_class.length == 0 || count > rules->row_count - next)
            return wrong(load, "venue malformed");
        list->venue_first = (uint32_t)next;
        list->venue_count = (uint32_t)count;
        next += count;
        if (text_table_add(&rules->classes, list->venue_class) != i)
            return wrong(load, "venue class stands twice");
    }
    return (next == rules->row_count && cbor_done(&load->in)) || wrong(load, "rows that no venue has");
}

static bool check_list_steps(struct load *load, const struct rule_list *list)
{
    uint64_t steps = 0;
    for (uint32_t place = 0; place < list->row_count; place++)
        steps += load->rules->rows[rule_list_row(load->rules, list, place)].steps;
    return steps <= RULE_LIST_STEPS_MAX || wrong(load, "rows of a venue class take too many steps");
}

static bool make_indexes(struct load *load)
{
    struct rule_set *rules = load->rules;
    struct rule_index_budget budget = {RULE_INDEX_WORDS_MAX, RULE_INDEX_WORK_MAX};
    for (uint32_t i = 0; i < rules->list_count; i++) {
        struct rule_list *list = &rules->lists[i];
        list->row_count = rules->city_count + list->venue_count;
        list->words = (list->row_count + 63) / 64;
        if (!check_list_steps(load, list))
            return false;
        if (!rule_index_make(rules, list, &budget))
            return wrong(load, "out of memory");
    }
    return true;
}

struct rule_set *rule_set_load(struct bytes program, char *error, size_t error_size)
{
    struct load load = {.rules = calloc(1, sizeof *load.rules)};
    uint8_t *copy = malloc(program.length + 1);
    if (!load.rules || !copy) {
        free(load.rules);
        free(copy);
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    if (program.length > 0)
        memcpy(copy, program.data, program.length);
    load.rules->program = (struct bytes){copy, program.length};
    load.in = cbor_read(load.rules->program);
    bool ok = cbor_take_map(&load.in, 14) == 14 && load_head(&load) && load_issuers(&load) && load_constants(&load) &&
              load_codes_and_rows(&load) && load_lists(&load) && make_indexes(&load);
    if (ok)
        return load.rules;
    snprintf(error, error_size, "rule program: %s at byte %zu", load.wrong ? load.wrong : "not a program",
             (size_t)(load.in.next - copy));
    rule_set_free(load.rules);
    return NULL;
}

void rule_set_free(struct rule_set *rules)
{
    if (!rules)
        return;
    for (uint32_t i = 0; i < rules->list_count; i++)
        rule_index_free(&rules->lists[i]);
    text_table_free(&rules->classes);
    free(rules->lists);
    free(rules->ids);
    free(rules->rows);
    free(rules->tests);
    free(rules->codes);
    free(rules->instructions);
    free(rules->items);
    free(rules->constants);
    free(rules->equivalences);
    free(rules->home);
    free((void *)rules->program.data);
    free(rules);
}
