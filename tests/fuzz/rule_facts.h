/* A few sets of facts for the targets that decide, and the check that every decision is made twice alike. */
#pragma once

#include <stdlib.h>

#include "dataplane/rules.h"

#define RULE_FACTS_KINDS 6

static inline void rule_facts_make(unsigned kind, struct facts *facts)
{
    static const char *const texts[] = {"", "hospital", "CN-310000", "teaching"};
    static const uint8_t roles[] = {0x82, 0x61, 'a', 0x67, 'c', 'o', 'u', 'r', 'i', 'e', 'r'};
    memset(facts, 0, sizeof *facts);
    for (unsigned i = 0; i < FACT_COUNT; i++) {
        enum fact fact = (enum fact)i;
        if (kind == 0 || (kind > 1 && (i + kind) % 3 == 0))
            continue;
        if (fact_type(fact) == FACT_TYPE_TEXT)
            fact_set_text(facts, fact, bytes_of_text(texts[(i + kind) % 4]));
        else if (fact_type(fact) == FACT_TYPE_TEXTS)
            fact_set_text(facts, fact, (struct bytes){roles, sizeof roles});
        else if (fact_type(fact) == FACT_TYPE_TIME || fact_type(fact) == FACT_TYPE_DAY)
            fact_set_number(facts, fact, kind == 5 ? UINT64_MAX - i : 18000 + i * UINT64_C(40000000));
        else
            fact_set_number(facts, fact, kind == 5 ? UINT64_MAX : (i + kind) % 3);
    }
    fact_set_text(facts, FACT_POINT_CLASS, bytes_of_text(texts[kind % 4]));
    fact_set_number(facts, FACT_NOW, 1583452800);
}

static inline void rule_facts_ignore(void *context, const struct row_trace *trace)
{
    (void)context;
    (void)trace;
}

/* The index must not change a result. */
static inline void rule_facts_decide(const struct rule_set *rules)
{
    for (unsigned kind = 0; kind < RULE_FACTS_KINDS; kind++) {
        struct facts facts;
        struct decision decided, traced;
        rule_facts_make(kind, &facts);
        decide(rules, &facts, &decided);
        decide_traced(rules, &facts, &traced, rule_facts_ignore, NULL);
        if (decided.verdict != traced.verdict || decided.reason != traced.reason || decided.rule != traced.rule ||
            decided.obligations != traced.obligations || decided.has_until != traced.has_until ||
            decided.until_s != traced.until_s)
            abort();
        rule_set_equivalence(rules, facts.value[FACT_POINT_CLASS].text, facts.value[FACT_NOW].number);
    }
}
