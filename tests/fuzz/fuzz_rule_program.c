/* Any bytes as a rule program: refused, or it decides within its bounds, by index as row by row. */
#include "tests/fuzz/rule_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[128];
    struct rule_set *rules = rule_set_load((struct bytes){data, size}, error, sizeof error);
    if (rules)
        rule_facts_decide(rules);
    rule_set_free(rules);
    return 0;
}
