/* bench_admission [--json]
 * What it costs to hear only known points, and what happens when more arrives than can be served. Prints one JSON
 * object:
 *   oscore_cycles          cycles a request for unprotecting it and protecting its answer: AEAD 10, full bursts, more
 *                          points than a burst, each with its own keys; _chacha: AEAD 24; _many: more points than
 *                          expanded keys are kept for
 *   refuse_vs_testpmd      frames a second that the worker refuses and answers, as a share of those that dpdk-testpmd
 *                          forwards in 5tswap mode: the same kind of port (a TAP), core, frame size and sender; the
 *                          worst of the kinds, which stand beside it as refuse_…
 *   goodput_at_10x         verdicts a second at ten times the peak's load, as a share of the peak
 *   latency_factor_at_10x  99th percentile of verdicts' latency at that load, as a multiple of that at 80 % of the peak
 *   honest_under_flood     share of honest requests answered by a verdict at half the peak, while nine of ten frames
 * are forged, from a million sources; flood_memory_growth_kib: what the process took in it */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/admission_bench.h"

static const struct {
    const char *name;
    int (*run)(void);
} parts[] = {{"oscore", admission_oscore}, {"refuse", admission_refuse}, {"overload", admission_overload}};

#define PARTS (sizeof parts / sizeof *parts)

/* The last line that the part printed. EAL's own words go to the same place and are left out. */
static bool run_part(const char *name, char *line, size_t size)
{
    int out[2];
    if (pipe(out) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execl("/proc/self/exe", "bench_admission", "--part", name, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *in = fdopen(out[0], "r");
    char next[4096];
    line[0] = 0;
    while (in && fgets(next, sizeof next, in))
        if (next[0] == '"')
            snprintf(line, size, "%.*s", (int)strcspn(next, "\n"), next);
    if (in)
        fclose(in);
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 && line[0];
}

int main(int argc, char **argv)
{
    char line[4096];
    const char *comma = "{";
    int failed = 0;
    if (argc == 3 && strcmp(argv[1], "--part") == 0)
        for (size_t i = 0; i < PARTS; i++)
            if (strcmp(parts[i].name, argv[2]) == 0)
                return parts[i].run();
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "--json") != 0)) {
        fprintf(stderr, "usage: bench_admission [--json]\n");
        return 2;
    }
    for (size_t i = 0; i < PARTS; i++) {
        if (!run_part(parts[i].name, line, sizeof line)) {
            fprintf(stderr, "bench_admission: the part %s failed\n", parts[i].name);
            failed = 1;
            continue;
        }
        printf("%s%s", comma, line);
        comma = ",\n ";
    }
    printf("}\n");
    return failed;
}
