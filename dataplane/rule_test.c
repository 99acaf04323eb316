/* One comparison of a fact with constants: the tests that rows are made of where they need no code. */
#include "dataplane/date_time.h"
#include "dataplane/rules_internal.h"

#define SHANGHAI_OFFSET_S 28800

struct value fact_value_of(const struct facts *facts, enum fact fact)
{
    const union fact_value *value = &facts->value[fact];
    enum fact_type type = fact_type(fact);
    if (!fact_present(facts, fact))
        return (struct value){.kind = VALUE_NULL};
    switch (type) {
    case FACT_TYPE_TEXT:
        return value_of_text(value->text);
    case FACT_TYPE_UINT:
        return value_of_number((double)value->number);
    case FACT_TYPE_INT:
        return value_of_number((double)value->integer);
    case FACT_TYPE_BOOL:
        return value_of_bool(value->number != 0);
    case FACT_TYPE_TIME:
        return (struct value){.kind = VALUE_INSTANT, .time_s = value->number};
    case FACT_TYPE_DAY:
        return (struct value){.kind = VALUE_DAY, .day = value->number};
    case FACT_TYPE_COLOUR:
    case FACT_TYPE_CLASS:
    case FACT_TYPE_MODE:
        if (fact_symbol(type, value->number))
            return value_of_text(bytes_of_text(fact_symbol(type, value->number)));
        break;
    case FACT_TYPE_TEXTS:
        break;
    }
    return (struct value){.kind = VALUE_NULL};
}

static enum test_outcome outcome(bool holds)
{
    return holds ? TEST_HOLDS : TEST_FAILS;
}

static enum test_outcome test_truthy(const struct facts *facts, enum fact fact)
{
    if (fact_type(fact) == FACT_TYPE_TEXTS) {
        struct bytes texts = facts->value[fact].text;
        return outcome(fact_present(facts, fact) && texts.length > 0 && texts.data[0] != 0x80);
    }
    struct value value = fact_value_of(facts, fact);
    return outcome(value_truth(&value) == TRUTH_TRUTHY);
}

static enum test_outcome test_any_of(const struct rule_set *rules, const struct rule_test *test,
                                     const struct facts *facts)
{
    struct value value = fact_value_of(facts, test->fact);
    const struct value *constant = &rules->constants[test->operand];
    if (constant->kind != VALUE_ARRAY)
        return outcome(value_same(&value, constant));
    for (uint32_t i = 0; i < constant->length; i++)
        if (value_same(&value, &constant->items[i]))
            return TEST_HOLDS;
    return TEST_FAILS;
}

static enum test_outcome test_range(const struct rule_test *test, const struct facts *facts)
{
    const union fact_value *value = &facts->value[test->fact];
    int64_t number = 0;
    if (!fact_present(facts, test->fact))
        return TEST_ERRS;
    switch (fact_type(test->fact)) {
    case FACT_TYPE_INT:
        number = value->integer;
        break;
    case FACT_TYPE_UINT:
        number = value->number < INT64_MAX ? (int64_t)value->number : INT64_MAX;
        break;
    case FACT_TYPE_TIME:
    case FACT_TYPE_DAY:
        if (value->number > (fact_type(test->fact) == FACT_TYPE_DAY ? DATE_TIME_S_MAX / 86400 : DATE_TIME_S_MAX))
            return TEST_ERRS;
        number = fact_type(test->fact) == FACT_TYPE_DAY ? (int64_t)value->number * 86400 - SHANGHAI_OFFSET_S
                                                        : (int64_t)value->number;
        number += test->shift;
        if (number > (int64_t)DATE_TIME_S_MAX || number < -(int64_t)DATE_TIME_S_MAX)
            return TEST_ERRS;
        break;
    default:
        return TEST_ERRS;
    }
    return outcome(number >= test->low && number <= test->high);
}

enum test_outcome rule_test_fact(const struct rule_set *rules, const struct rule_test *test, const struct facts *facts)
{
    enum test_outcome result = TEST_ERRS;
    if (test->kind == TEST_TRUTHY)
        result = test_truthy(facts, test->fact);
    else if (test->kind == TEST_ANY_OF)
        result = test_any_of(rules, test, facts);
    else if (test->kind == TEST_RANGE)
        result = test_range(test, facts);
    if (result == TEST_ERRS)
        return TEST_ERRS;
    return outcome((result == TEST_HOLDS) != test->negated);
}
