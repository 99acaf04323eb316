/* Rule set file to program to decision: what compiles loads, and decides by index as it does row by row. */
#include "control/rules_json.h"
#include "tests/fuzz/rule_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_problems problems = {0};
    uint8_t *program;
    size_t program_size;
    char error[128];
    if (rules_compile((struct bytes){data, size}, true, NULL, &program, &program_size, &problems)) {
        struct rule_set *rules = rule_set_load((struct bytes){program, program_size}, error, sizeof error);
        if (!rules)
            abort();
        rule_facts_decide(rules);
        rule_set_free(rules);
        free(rules_diff((struct bytes){data, size}, (struct bytes){data, size}, NULL));
    } else if (problems.refused == 0) {
        abort();
    }
    free(program);
    json_problems_free(&problems);
    return 0;
}
