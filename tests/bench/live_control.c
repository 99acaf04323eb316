#include "tests/bench/live_control.h"

#include "control/journal.h"
#include "tests/bench/store_bench.h"

static struct journal journal;
static char error[256];

void live_control_open(const char *store)
{
    if (!journal_open(store, &journal, error, sizeof(error)))
        bench_fail("%s", error);
}

void live_control_close(void)
{
    journal_close(&journal);
}

void live_append(enum log_type type, const void *data, size_t size)
{
    if (!journal_append(&journal, type, (struct bytes){data, size}, error, sizeof(error)))
        bench_fail("%s", error);
}

uint64_t live_commit(void)
{
    if (!journal_commit(&journal, error, sizeof(error)))
        bench_fail("%s", error);
    return journal.state.sequence;
}

bool live_fold(void)
{
    if (!journal_folding(&journal))
        return false;
    if (journal_fold_wait_ms(&journal) > 0)
        return true;
    journal_fold_step(&journal, error, sizeof(error));
    if (error[0])
        bench_fail("folding: %s", error);
    return true;
}
