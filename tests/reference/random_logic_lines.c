/* random_logic_lines COUNT SEED: random expressions with data, a JSON object a line, for other evaluators. */
#include "tests/reference/random_logic.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct random_logic random = {.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
    for (unsigned long i = 0; i < count; i++) {
        fputs("{\"logic\":", stdout);
        random_expression(&random, stdout, 1 + random_below(&random, 4));
        fputs(",\"data\":", stdout);
        random_data(&random, stdout);
        fputs("}\n", stdout);
    }
    return ferror(stdout) ? 1 : 0;
}
