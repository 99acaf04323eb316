/* Profiles: refused or whole. */
#include "tests/load/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct profile profile;
    struct json_problems problems = {0};
    if (profile_read((struct bytes){data, size}, &profile, &problems) && profile.points == 0)
        __builtin_trap();
    json_problems_free(&problems);
    return 0;
}
