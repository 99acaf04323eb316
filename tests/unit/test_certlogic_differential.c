/* The machine against the slow evaluator, on random expressions: test_certlogic_differential [COUNT [SEED]]. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "control/certlogic.h"
#include "tests/reference/certlogic_reference.h"
#include "tests/reference/random_logic.h"

static unsigned long case_count = 20000;
static uint64_t seed = 1;

static cJSON *make(struct random_logic *random, void (*write)(struct random_logic *, FILE *), char **text)
{
    size_t size;
    FILE *out = open_memstream(text, &size);
    write(random, out);
    fclose(out);
    cJSON *tree = json_parse((struct bytes){(const uint8_t *)*text, size}, NULL);
    assert_non_null(tree);
    return tree;
}

static void write_expression(struct random_logic *random, FILE *out)
{
    random_expression(random, out, 1 + random_below(random, 4));
}

static void test_random_expressions(void **state)
{
    (void)state;
    struct random_logic random = {.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
    unsigned long errs = 0;
    for (unsigned long i = 0; i < case_count; i++) {
        char *logic_text, *data_text, error[CERTLOGIC_ERROR_MAX];
        cJSON *logic = make(&random, write_expression, &logic_text), *data = make(&random, random_data, &data_text);
        char *got = certlogic_eval(logic, data, error, sizeof error), *expected = reference_eval(logic, data);
        if (!got != !expected || (got && strcmp(got, expected) != 0))
            fail_msg("case %lu of seed %llu: %s with %s: expected %s, got %s", i, (unsigned long long)seed, logic_text,
                     data_text, expected ? expected : "an error", got ? got : error);
        errs += !got;
        free(got);
        free(expected);
        free(logic_text);
        free(data_text);
        cJSON_Delete(logic);
        cJSON_Delete(data);
    }
    print_message("%lu expressions, %lu of them err\n", case_count, errs);
    assert_in_range(errs, case_count / 20, case_count * 19 / 20);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_expressions)};
    if (argc > 1)
        case_count = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
