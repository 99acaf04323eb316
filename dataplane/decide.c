#include "keys/cbor.h"
#include "keys/point.h"

#include "dataplane/date_time.h"
#include "dataplane/rules_internal.h"

#define MEMO_WORDS (RULE_CODE_MEMO_MAX / 64)

/* One decision under way. */
struct evaluation {
    const struct rule_set *rules;
    const struct facts *facts;
    uint64_t now_s;
    uint64_t facts_read;
    const char *error;
    /* Codes that several rows share are computed once: whether, and what came out. */
    uint64_t memo_known[MEMO_WORDS];
    uint64_t memo_holds[MEMO_WORDS];
    bool roles_read; /* in this run, so that the array is the same wherever it is read */
    struct value roles;
    struct value room[RULE_ROOM_MAX];
};

static struct value read_roles(struct evaluation *evaluation, struct machine_room *room)
{
    struct cbor_reader in = cbor_read(evaluation->facts->value[FACT_CREDENTIAL_ROLES].text);
    uint32_t count = cbor_take_array(&in, CREDENTIAL_ROLES_MAX);
    struct value *items = machine_take(room, count);
    for (uint32_t i = 0; items && i < count; i++)
        items[i] = value_of_text(cbor_take_text(&in));
    if (!items || in.failed)
        return (struct value){.kind = VALUE_NULL};
    return (struct value){.kind = VALUE_ARRAY, .length = count, .items = items};
}

static struct value read_fact(void *source, uint32_t slot, struct machine_room *room)
{
    struct evaluation *evaluation = source;
    enum fact fact = (enum fact)slot;
    evaluation->facts_read |= UINT64_C(1) << slot;
    if (fact_type(fact) != FACT_TYPE_TEXTS || !fact_present(evaluation->facts, fact))
        return fact_value_of(evaluation->facts, fact);
    if (!evaluation->roles_read) {
        evaluation->roles = read_roles(evaluation, room);
        evaluation->roles_read = true;
    }
    return evaluation->roles;
}

static bool run_code(struct evaluation *evaluation, uint32_t code, struct value *out)
{
    struct machine machine = {
        .read = read_fact,
        .source = evaluation,
        .room = {evaluation->room, 0, RULE_ROOM_MAX},
        .steps_left = RULE_STEPS_MAX,
    };
    evaluation->roles_read = false;
    if (machine_run(&machine, &evaluation->rules->codes[code].code, out))
        return true;
    evaluation->error = machine.error;
    return false;
}

static enum test_outcome run_test_code(struct evaluation *evaluation, uint32_t code)
{
    struct value value;
    if (!run_code(evaluation, code, &value))
        return TEST_ERRS;
    switch (value_truth(&value)) {
    case TRUTH_TRUTHY:
        return TEST_HOLDS;
    case TRUTH_FALSY:
        return TEST_FAILS;
    case TRUTH_NEITHER:
        break;
    }
    evaluation->error = "condition is neither truthy nor falsy";
    return TEST_ERRS;
}

static enum test_outcome test_code(struct evaluation *evaluation, const struct rule_test *test)
{
    uint32_t word = test->operand / 64;
    uint64_t bit = UINT64_C(1) << test->operand % 64;
    enum test_outcome outcome;
    if (test->operand < RULE_CODE_MEMO_MAX && evaluation->memo_known[word] & bit) {
        outcome = evaluation->memo_holds[word] & bit ? TEST_HOLDS : TEST_FAILS;
    } else {
        outcome = run_test_code(evaluation, test->operand);
        if (test->operand < RULE_CODE_MEMO_MAX && outcome != TEST_ERRS) {
            evaluation->memo_known[word] |= bit;
            evaluation->memo_holds[word] |= outcome == TEST_HOLDS ? bit : 0;
        }
    }
    if (outcome == TEST_ERRS)
        return TEST_ERRS;
    return (outcome == TEST_HOLDS) != test->negated ? TEST_HOLDS : TEST_FAILS;
}

/* The whole row, test by test in its order. */
static enum row_result try_row(struct evaluation *evaluation, const struct rule_row *row)
{
    if (evaluation->now_s < row->from_s || evaluation->now_s >= row->to_s)
        return ROW_NOT_IN_FORCE;
    for (uint32_t i = 0; i < row->test_count; i++) {
        const struct rule_test *test = &evaluation->rules->tests[row->first_test + i];
        enum test_outcome outcome;
        if (test->kind == TEST_CODE) {
            outcome = test_code(evaluation, test);
        } else {
            evaluation->facts_read |= UINT64_C(1) << test->fact;
            outcome = rule_test_fact(evaluation->rules, test, evaluation->facts);
            if (outcome == TEST_ERRS)
                evaluation->error = "fact is missing or out of range";
        }
        if (outcome == TEST_FAILS)
            return ROW_NO_MATCH;
        if (outcome == TEST_ERRS)
            return ROW_ERROR;
    }
    return ROW_MATCH;
}

/* `until` is a date-time, a text that is one, or null. */
static bool row_until(struct evaluation *evaluation, const struct rule_row *row, struct decision *out)
{
    struct value value;
    int64_t ms;
    if (!run_code(evaluation, row->until, &value))
        return false;
    switch (value.kind) {
    case VALUE_NULL:
        return true;
    case VALUE_DATE_TIME:
        ms = value.time_ms;
        break;
    case VALUE_INSTANT:
        ms = value.time_s <= DATE_TIME_S_MAX ? (int64_t)value.time_s * 1000 : -1;
        break;
    case VALUE_TEXT:
        if (!date_time_parse(value_bytes(&value), &ms))
            ms = -1;
        break;
    case VALUE_DAY:
        ms = value.day <= DATE_TIME_S_MAX / 86400 ? (int64_t)value.day * 86400000 - 8 * 3600000 : -1;
        break;
    default:
        ms = -1;
    }
    if (ms < 0) {
        evaluation->error = "until is not a date-time after 1970";
        return false;
    }
    out->has_until = true;
    out->until_s = (uint64_t)ms / 1000;
    return true;
}

static void refer(struct decision *out, enum reason reason)
{
    *out = (struct decision){.verdict = VERDICT_REFER, .reason = reason, .rule = RULE_NONE, .rule_id = ""};
}

/* The row at `index` matched, or erred. */
static void conclude(struct evaluation *evaluation, uint32_t index, enum row_result result, struct decision *out)
{
    const struct rule_row *row = &evaluation->rules->rows[index];
    *out = (struct decision){
        .verdict = row->verdict,
        .reason = row->reason,
        .obligations = row->obligations,
        .rule = index,
        .rule_id = row->id,
    };
    if (result == ROW_ERROR || (row->until != RULE_NONE && !row_until(evaluation, row, out))) {
        refer(out, REASON_RULE_ERROR);
        out->rule = index;
        out->rule_id = row->id;
    }
}

/* At a venue that decides for itself the city still forbids; all else is for reference. */
static void apply_mode(const struct evaluation *evaluation, struct decision *out)
{
    const struct facts *facts = evaluation->facts;
    bool city = out->rule < evaluation->rules->city_count;
    if (!fact_present(facts, FACT_POINT_MODE) || facts->value[FACT_POINT_MODE].number != POINT_MODE_ADVISORY)
        return;
    if (out->reason == REASON_RULE_ERROR || (city && (out->verdict == VERDICT_DENY || out->verdict == VERDICT_REFER)))
        return;
    out->verdict = VERDICT_REFER;
    out->reason = REASON_ADVISORY;
}

static const struct rule_list *list_of(const struct rule_set *rules, const struct facts *facts)
{
    uint32_t index = 0;
    if (fact_present(facts, FACT_POINT_CLASS))
        index = text_table_find(&rules->classes, facts->value[FACT_POINT_CLASS].text);
    return &rules->lists[index];
}

/* False, with the answer in `out`, where the set as such does not decide now. */
static bool begin(struct evaluation *evaluation, const struct rule_set *rules, const struct facts *facts,
                  struct decision *out)
{
    refer(out, REASON_RULES_ABSENT);
    if (!rules || !fact_present(facts, FACT_NOW))
        return false;
    evaluation->rules = rules;
    evaluation->facts = facts;
    evaluation->now_s = facts->value[FACT_NOW].number;
    evaluation->facts_read = 0;
    evaluation->error = NULL;
    memset(evaluation->memo_known, 0, sizeof evaluation->memo_known);
    memset(evaluation->memo_holds, 0, sizeof evaluation->memo_holds);
    if (evaluation->now_s < rules->from_s)
        return false;
    out->reason = REASON_RULES_EXPIRED;
    if (evaluation->now_s >= rules->to_s)
        return false;
    out->reason = REASON_RULES_NO_MATCH;
    return true;
}

/* The first row of the list that decides, by its index: each fact's class names the rows it rules out, and only rows
 * that no fact rules out, or that one errs on, are tried. */
static void decide_by_index(struct evaluation *evaluation, const struct rule_list *list, struct decision *out)
{
    struct rule_verdicts verdicts;
    rule_index_find(list, evaluation->facts, &verdicts);
    for (uint32_t word = 0; word < list->words; word++) {
        uint64_t failing = 0, erring = 0;
        for (uint32_t i = 0; i < list->column_count; i++)
            failing |= verdicts.fails[i][word];
        for (uint32_t i = 0; i < verdicts.errs_count; i++)
            erring |= verdicts.errs[i][word];
        uint32_t left = list->row_count - word * 64;
        uint64_t candidates = (~failing | erring) & (left < 64 ? (UINT64_C(1) << left) - 1 : UINT64_MAX);
        for (; candidates != 0; candidates &= candidates - 1) {
            uint64_t bit = candidates & -candidates;
            uint32_t index = rule_list_row(evaluation->rules, list, word * 64 + (uint32_t)__builtin_ctzll(candidates));
            enum row_result result =
                list->plain[word] & ~erring & bit ? ROW_MATCH : try_row(evaluation, &evaluation->rules->rows[index]);
            if (result == ROW_MATCH || result == ROW_ERROR) {
                conclude(evaluation, index, result, out);
                return;
            }
        }
    }
}

void decide(const struct rule_set *rules, const struct facts *facts, struct decision *out)
{
    struct evaluation evaluation;
    if (!begin(&evaluation, rules, facts, out))
        return;
    decide_by_index(&evaluation, list_of(rules, facts), out);
    apply_mode(&evaluation, out);
}

void decide_traced(const struct rule_set *rules, const struct facts *facts, struct decision *out,
                   void (*each)(void *context, const struct row_trace *trace), void *context)
{
    struct evaluation evaluation;
    if (!begin(&evaluation, rules, facts, out))
        return;
    const struct rule_list *list = list_of(rules, facts);
    for (uint32_t place = 0; place < list->row_count; place++) {
        uint32_t index = rule_list_row(rules, list, place);
        evaluation.facts_read = 0;
        enum row_result result = try_row(&evaluation, &rules->rows[index]);
        if (result == ROW_MATCH || result == ROW_ERROR)
            conclude(&evaluation, index, result, out);
        if (result == ROW_MATCH && out->reason == REASON_RULE_ERROR)
            result = ROW_ERROR;
        each(context, &(struct row_trace){index, rules->rows[index].id, place < rules->city_count, result,
                                          evaluation.facts_read, result == ROW_ERROR ? evaluation.error : NULL});
        if (result == ROW_MATCH || result == ROW_ERROR)
            break;
    }
    apply_mode(&evaluation, out);
}

enum equivalence rule_set_equivalence(const struct rule_set *rules, struct bytes issuer, uint64_t now_s)
{
    for (uint32_t i = 0; i < rules->home_count; i++)
        if (bytes_equal(rules->home[i], issuer))
            return EQUIVALENCE_EQUAL;
    for (uint32_t i = 0; i < rules->equivalence_count; i++) {
        const struct rule_equivalence *row = &rules->equivalences[i];
        if (now_s >= row->from_s && now_s < row->to_s && bytes_equal(row->issuer, issuer))
            return row->as;
    }
    return EQUIVALENCE_NOT_ACCEPTED;
}

const struct rule_set *rule_set_pick(const struct rule_set *const sets[], unsigned count, uint64_t now_s)
{
    while (count > 0)
        if (sets[--count]->from_s <= now_s)
            return sets[count];
    return NULL;
}

uint32_t rule_set_version(const struct rule_set *rules)
{
    return rules->version;
}

uint64_t rule_set_issued_s(const struct rule_set *rules)
{
    return rules->issued_s;
}

uint64_t rule_set_from_s(const struct rule_set *rules)
{
    return rules->from_s;
}

uint64_t rule_set_to_s(const struct rule_set *rules)
{
    return rules->to_s;
}

uint32_t rule_set_same_point_s(const struct rule_set *rules)
{
    return rules->same_point_s;
}

uint32_t rule_set_row_count(const struct rule_set *rules)
{
    return rules->row_count;
}
