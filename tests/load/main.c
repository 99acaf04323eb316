#include "tests/load/port.h"
#include "tests/load/selftest.h"
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    char error[200];
    if (!load_environment_start("0@(0,1),1@0,2@1", NULL, 0, 400, error, sizeof error)) {
        puts(error);
        return 2;
    }
    struct selftest_options options = selftest_defaults();
    if (getenv("D")) {
        options.duration_s = atof(getenv("D"));
        options.tries = 1;
    }
    int rc = selftest_run(&options, stdout, error, sizeof error);
    if (rc < 0)
        puts(error);
    return rc != 0;
}
