/* Makes the index of a list of rows: for each fact the classes of its values that the rows' tests tell apart, and for
 * each class the rows it fails. */
#include <stdlib.h>

#include "dataplane/date_time.h"
#include "dataplane/rules_internal.h"

#define SHANGHAI_OFFSET_S 28800
#define CLASS_ABSENT 0
#define CLASS_OTHER_TEXT 1

static enum rule_column_kind column_kind(enum fact fact)
{
    switch (fact_type(fact)) {
    case FACT_TYPE_TEXT:
        return COLUMN_TEXT;
    case FACT_TYPE_TEXTS:
        return COLUMN_TEXTS;
    case FACT_TYPE_INT:
        return COLUMN_INT;
    default:
        return COLUMN_UINT;
    }
}

static bool is_time_fact(enum fact fact)
{
    return fact_type(fact) == FACT_TYPE_TIME || fact_type(fact) == FACT_TYPE_DAY;
}

/* A time compared as a text has no classes to speak of. */
static bool indexable(const struct rule_test *test)
{
    return test->kind != TEST_CODE && !(test->kind == TEST_ANY_OF && is_time_fact(test->fact));
}

/* The lists of breaks of a column while it is made. */
struct breaks {
    int64_t *items;
    size_t count, room;
    bool failed;
};

static void add_break(struct breaks *breaks, int64_t at)
{
    if (breaks->failed)
        return;
    if (breaks->count == breaks->room) {
        breaks->room = breaks->room ? breaks->room * 2 : 16;
        int64_t *items = realloc(breaks->items, breaks->room * sizeof *items);
        if (!items) {
            breaks->failed = true;
            return;
        }
        breaks->items = items;
    }
    breaks->items[breaks->count++] = at;
}

/* A break where seconds since 1970, shifted, reach `s`. */
static void add_time_break(struct breaks *breaks, const struct rule_test *test, int64_t s)
{
    int64_t at;
    if (__builtin_sub_overflow(s, test->shift, &at))
        return;
    if (fact_type(test->fact) == FACT_TYPE_DAY) {
        if (__builtin_add_overflow(at, SHANGHAI_OFFSET_S + 86399, &at))
            return;
        at = at / 86400 - (at % 86400 < 0);
    }
    add_break(breaks, at);
}

static void add_range_breaks(struct breaks *breaks, const struct rule_test *test)
{
    int64_t above = test->high < INT64_MAX ? test->high + 1 : INT64_MAX;
    if (!is_time_fact(test->fact)) {
        add_break(breaks, test->low);
        if (test->high < INT64_MAX)
            add_break(breaks, above);
        return;
    }
    const int64_t s_max = (int64_t)DATE_TIME_S_MAX;
    add_time_break(breaks, test, test->low);
    add_time_break(breaks, test, above);
    add_time_break(breaks, test, s_max + 1);
    add_time_break(breaks, test, -s_max);
    add_break(breaks, fact_type(test->fact) == FACT_TYPE_DAY ? s_max / 86400 + 1 : s_max + 1);
}

static void add_constant_breaks(struct breaks *breaks, const struct value *constant)
{
    if (!value_is_integer(constant))
        return;
    add_break(breaks, (int64_t)constant->number);
    add_break(breaks, (int64_t)constant->number + 1);
}

static void add_breaks(const struct rule_set *rules, struct breaks *breaks, const struct rule_test *test)
{
    /* Covers what is truthy, booleans, symbols and the emptiness of arrays. */
    for (int64_t small = 0; small <= CLASS_COUNT; small++)
        add_break(breaks, small);
    if (test->kind == TEST_RANGE)
        add_range_breaks(breaks, test);
    if (test->kind != TEST_ANY_OF)
        return;
    const struct value *constant = &rules->constants[test->operand];
    add_constant_breaks(breaks, constant);
    for (uint32_t i = 0; constant->kind == VALUE_ARRAY && i < constant->length; i++)
        add_constant_breaks(breaks, &constant->items[i]);
}

static int compare_breaks(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void sort_breaks(struct breaks *breaks)
{
    size_t kept = 0;
    if (breaks->count > 0)
        qsort(breaks->items, breaks->count, sizeof *breaks->items, compare_breaks);
    for (size_t i = 0; i < breaks->count; i++)
        if (kept == 0 || breaks->items[i] != breaks->items[kept - 1])
            breaks->items[kept++] = breaks->items[i];
    breaks->count = kept;
}

/* What a column is made of: all its tests in the rows of the list, and for NOW the rows' dates. */
typedef void visit_test(const struct rule_set *rules, const struct rule_test *test, void *context);

static void visit_tests(const struct rule_set *rules, const struct rule_list *list, enum fact fact, visit_test *visit,
                        void *context)
{
    for (uint32_t place = 0; place < list->row_count; place++) {
        const struct rule_row *row = &rules->rows[rule_list_row(rules, list, place)];
        for (uint32_t i = 0; i < row->test_count; i++) {
            const struct rule_test *test = &rules->tests[row->first_test + i];
            if (indexable(test) && test->fact == fact)
                visit(rules, test, context);
        }
    }
}

static void count_texts(const struct rule_set *rules, const struct rule_test *test, void *context)
{
    uint32_t *count = context;
    if (test->kind == TEST_ANY_OF)
        *count += rules->constants[test->operand].kind == VALUE_ARRAY ? rules->constants[test->operand].length : 1;
}

static void add_texts(const struct rule_set *rules, const struct rule_test *test, void *context)
{
    struct text_table *texts = context;
    if (test->kind != TEST_ANY_OF)
        return;
    const struct value *constant = &rules->constants[test->operand];
    uint32_t count = constant->kind == VALUE_ARRAY ? constant->length : 1;
    const struct value *items = constant->kind == VALUE_ARRAY ? constant->items : constant;
    for (uint32_t i = 0; i < count; i++)
        if (items[i].kind == VALUE_TEXT)
            text_table_add(texts, value_bytes(&items[i]));
}

static bool make_text_classes(const struct rule_set *rules, const struct rule_list *list, struct rule_column *column)
{
    static const struct bytes empty = {(const uint8_t *)"", 0};
    uint32_t count = 1;
    visit_tests(rules, list, column->fact, count_texts, &count);
    if (!text_table_make(&column->texts, count))
        return false;
    text_table_add(&column->texts, empty);
    visit_tests(rules, list, column->fact, add_texts, &column->texts);
    column->class_count = CLASS_OTHER_TEXT + 1 + column->texts.count;
    return true;
}

static void collect_breaks(const struct rule_set *rules, const struct rule_test *test, void *context)
{
    add_breaks(rules, context, test);
}

static bool make_number_classes(const struct rule_set *rules, const struct rule_list *list, struct rule_column *column)
{
    struct breaks breaks = {0};
    visit_tests(rules, list, column->fact, collect_breaks, &breaks);
    for (uint32_t place = 0; column->fact == FACT_NOW && place < list->row_count; place++) {
        const struct rule_row *row = &rules->rows[rule_list_row(rules, list, place)];
        if (row->from_s > 0)
            add_break(&breaks, (int64_t)(row->from_s < INT64_MAX ? row->from_s : INT64_MAX));
        if (row->to_s < INT64_MAX)
            add_break(&breaks, (int64_t)row->to_s);
    }
    column->breaks = breaks.items;
    if (breaks.failed)
        return false;
    sort_breaks(&breaks);
    column->break_count = (uint32_t)breaks.count;
    column->class_count = 2 + column->break_count;
    return true;
}

/* One value of each class: what a test says of it, it says of the whole class. */
static void set_representative(const struct rule_column *column, uint32_t group, struct facts *facts)
{
    /* Longer than any constant may be, so that it is none of them. */
    static const uint8_t other_text[RULE_TEXT_MAX + 1];
    static const uint8_t no_texts[] = {0x80}, some_texts[] = {0x81};
    facts->present = 0;
    if (group == CLASS_ABSENT)
        return;
    if (column->kind == COLUMN_TEXT) {
        fact_set_text(facts, column->fact,
                      group == CLASS_OTHER_TEXT ? (struct bytes){other_text, sizeof other_text}
                                                : column->texts.texts[group - CLASS_OTHER_TEXT - 1]);
        return;
    }
    /* Below the first break no unsigned fact ever is, but for a date before the first row's. */
    int64_t number = group == 1 ? INT64_MIN : column->breaks[group - 2];
    if (fact_type(column->fact) == FACT_TYPE_TEXTS)
        fact_set_text(facts, column->fact, (struct bytes){number > 0 ? some_texts : no_texts, 1});
    else if (fact_type(column->fact) == FACT_TYPE_INT)
        fact_set_integer(facts, column->fact, number);
    else
        fact_set_number(facts, column->fact, number < 0 ? 0 : (uint64_t)number);
}

static void mark_test(const struct rule_set *rules, const struct rule_list *list, struct rule_column *column,
                      const struct rule_test *test, uint32_t place)
{
    struct facts facts;
    uint64_t bit = UINT64_C(1) << place % 64;
    for (uint32_t group = 0; group < column->class_count; group++) {
        size_t word = (size_t)group * list->words + place / 64;
        if (column->fails[word] & bit)
            continue; /* the row ends before this test */
        set_representative(column, group, &facts);
        enum test_outcome outcome = rule_test_fact(rules, test, &facts);
        if (outcome == TEST_FAILS)
            column->fails[word] |= bit;
        if (outcome == TEST_ERRS)
            column->errs[word] |= bit;
    }
}

static void mark_dates(const struct rule_list *list, struct rule_column *column, const struct rule_row *row,
                       uint32_t place)
{
    struct facts facts;
    for (uint32_t group = 1; group < column->class_count; group++) {
        set_representative(column, group, &facts);
        uint64_t now = facts.value[FACT_NOW].number;
        if (now < row->from_s || now >= row->to_s)
            column->fails[(size_t)group * list->words + place / 64] |= UINT64_C(1) << place % 64;
    }
}

static void mark_row(const struct rule_set *rules, const struct rule_list *list, struct rule_column *column,
                     const bool indexed[], uint32_t place)
{
    const struct rule_row *row = &rules->rows[rule_list_row(rules, list, place)];
    if (column->fact == FACT_NOW && (row->from_s > 0 || row->to_s < UINT64_MAX))
        mark_dates(list, column, row, place);
    for (uint32_t i = 0; i < row->test_count; i++) {
        const struct rule_test *test = &rules->tests[row->first_test + i];
        bool in_index = indexable(test) && indexed[test->fact];
        if (in_index && test->fact == column->fact)
            mark_test(rules, list, column, test, place);
        /* What stands behind a test that may err does not rule a row out. */
        if (!in_index && (test->kind != TEST_CODE || rules->codes[test->operand].errs))
            break;
    }
}

/* Neighbours that rule out the same rows become one class, which leaves fewer breaks to look at. */
static void merge_classes(struct rule_column *column, uint32_t words)
{
    uint32_t kept = 1;
    for (uint32_t group = 2; group < column->class_count; group++) {
        size_t from = (size_t)group * words, last = (size_t)kept * words, size = words * sizeof *column->fails;
        if (memcmp(column->fails + from, column->fails + last, size) == 0 &&
            memcmp(column->errs + from, column->errs + last, size) == 0)
            continue;
        kept++;
        memmove(column->fails + (size_t)kept * words, column->fails + from, size);
        memmove(column->errs + (size_t)kept * words, column->errs + from, size);
        column->breaks[kept - 2] = column->breaks[group - 2];
    }
    column->class_count = kept + 1;
    column->break_count = kept - 1;
}

static bool fill_column(const struct rule_set *rules, const struct rule_list *list, struct rule_column *column,
                        const bool indexed[])
{
    size_t words = (size_t)column->class_count * list->words;
    uint64_t any = 0;
    column->fails = calloc(words + 1, sizeof *column->fails);
    column->errs = calloc(words + 1, sizeof *column->errs);
    if (!column->fails || !column->errs)
        return false;
    for (uint32_t place = 0; place < list->row_count; place++)
        mark_row(rules, list, column, indexed, place);
    if (column->kind != COLUMN_TEXT)
        merge_classes(column, list->words);
    words = (size_t)column->class_count * list->words;
    for (size_t i = 0; i < words; i++)
        any |= column->errs[i];
    if (any == 0) {
        free(column->errs);
        column->errs = NULL;
    }
    return true;
}

static void find_facts(const struct rule_set *rules, const struct rule_list *list, bool used[])
{
    for (uint32_t place = 0; place < list->row_count; place++) {
        const struct rule_row *row = &rules->rows[rule_list_row(rules, list, place)];
        if (row->from_s > 0 || row->to_s < UINT64_MAX)
            used[FACT_NOW] = true;
        for (uint32_t i = 0; i < row->test_count; i++)
            if (indexable(&rules->tests[row->first_test + i]))
                used[rules->tests[row->first_test + i].fact] = true;
    }
}

static void find_plain(const struct rule_set *rules, struct rule_list *list, const bool indexed[])
{
    for (uint32_t place = 0; place < list->row_count; place++) {
        const struct rule_row *row = &rules->rows[rule_list_row(rules, list, place)];
        bool plain = indexed[FACT_NOW] || (row->from_s == 0 && row->to_s == UINT64_MAX);
        for (uint32_t i = 0; i < row->test_count; i++) {
            const struct rule_test *test = &rules->tests[row->first_test + i];
            plain = plain && indexable(test) && indexed[test->fact];
        }
        list->plain[place / 64] |= (uint64_t)plain << place % 64;
    }
}

static void count_work(const struct rule_set *rules, const struct rule_test *test, void *context)
{
    uint64_t *work = context;
    const struct value *constant = &rules->constants[test->operand];
    *work += test->kind == TEST_ANY_OF && constant->kind == VALUE_ARRAY ? 1 + constant->length : 1;
}

static bool spend(uint64_t *left, uint64_t cost)
{
    if (cost > *left)
        return false;
    *left -= cost;
    return true;
}

/* Whether what the column is to hold can still be paid for. */
static bool afford_column(const struct rule_set *rules, const struct rule_list *list, const struct rule_column *column,
                          struct rule_index_budget *budget)
{
    uint64_t tests = list->row_count;
    visit_tests(rules, list, column->fact, count_work, &tests);
    return spend(&budget->words, 2 * (uint64_t)column->class_count * list->words) &&
           spend(&budget->work, tests * column->class_count);
}

static void drop_column(struct rule_list *list)
{
    struct rule_column *column = &list->columns[--list->column_count];
    text_table_free(&column->texts);
    free(column->breaks);
    *column = (struct rule_column){0};
}

/* Looking through the rows for each fact has its price too; without it the list has no index at all. */
static bool afford_list(const struct rule_set *rules, const struct rule_list *list, struct rule_index_budget *budget)
{
    uint64_t tests = 0;
    for (uint32_t place = 0; place < list->row_count; place++)
        tests += 1 + rules->rows[rule_list_row(rules, list, place)].test_count;
    return spend(&budget->work, tests * FACT_COUNT);
}

bool rule_index_make(const struct rule_set *rules, struct rule_list *list, struct rule_index_budget *budget)
{
    bool used[FACT_COUNT] = {false}, indexed[FACT_COUNT] = {false};
    list->plain = calloc(list->words + 1, sizeof *list->plain);
    list->columns = calloc(FACT_COUNT, sizeof *list->columns);
    if (!list->plain || !list->columns)
        return false;
    if (afford_list(rules, list, budget))
        find_facts(rules, list, used);
    for (unsigned fact = 0; fact < FACT_COUNT; fact++) {
        struct rule_column *column = &list->columns[list->column_count];
        if (!used[fact])
            continue;
        *column = (struct rule_column){.fact = (enum fact)fact, .kind = column_kind((enum fact)fact)};
        list->column_count++;
        if (!(column->kind == COLUMN_TEXT ? make_text_classes : make_number_classes)(rules, list, column))
            return false;
        indexed[fact] = afford_column(rules, list, column, budget);
        if (!indexed[fact])
            drop_column(list);
    }
    for (uint32_t i = 0; i < list->column_count; i++)
        if (!fill_column(rules, list, &list->columns[i], indexed))
            return false;
    find_plain(rules, list, indexed);
    return true;
}

void rule_index_free(struct rule_list *list)
{
    for (uint32_t i = 0; i < list->column_count; i++) {
        text_table_free(&list->columns[i].texts);
        free(list->columns[i].breaks);
        free(list->columns[i].fails);
        free(list->columns[i].errs);
    }
    free(list->columns);
    free(list->plain);
}
