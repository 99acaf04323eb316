/* Two misfortunes in a row: the writer is killed at one of its operations, its successor acknowledges a change, and
 * then the machine loses power. For each operation of a script in turn. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/log.h"
#include "tests/simulator/disk_sim.h"
#include "tests/unit/unit.h"

#define SEGMENT_BYTES 600
#define CHANGES 40 /* some segments full */
#define SEEDS 4    /* a loss of power keeps some names and drops others by chance */

static jmp_buf crash;
static struct log_writer *writer;
static uint32_t made, acked;

static void writer_open(void)
{
    char error[256];
    if (log_writer_open("sim", &writer, error, sizeof error) != LOG_OK)
        fail_msg("%s", error);
    log_writer_set_segment_bytes(writer, SEGMENT_BYTES);
}

/* A change is its own number. */
static void append_and_commit(void)
{
    made++;
    assert_int_equal(log_writer_append(writer, LOG_RULES, (struct bytes){(const uint8_t *)&made, sizeof made}, NULL),
                     LOG_OK);
    assert_int_equal(log_writer_commit(writer), LOG_OK);
    acked = made;
}

/* The last change that a reader sees; all before it are there, in order. */
static uint32_t read_all(void)
{
    struct log_reader *reader;
    struct log_record record;
    char error[256];
    uint32_t last = 0, number;
    enum log_status status = log_reader_open("sim", &reader, error, sizeof error);
    if (status == LOG_NO_STORE)
        return 0;
    assert_int_equal(status, LOG_OK);
    while ((status = log_reader_next(reader, &record)) == LOG_OK) {
        memcpy(&number, record.payload.data, sizeof number);
        assert_int_equal(number, last + 1);
        last = number;
    }
    if (status != LOG_END)
        fail_msg("%s", log_reader_error(reader));
    log_reader_close(reader);
    return last;
}

/* False where the script has fewer operations. */
static bool killed_at(uint64_t operation, uint64_t seed)
{
    static volatile bool struck;
    disk_sim_create(seed);
    made = acked = 0;
    struck = true;
    disk_sim_crash_at(operation, &crash);
    if (setjmp(crash) == 0) {
        writer_open();
        while (made < CHANGES)
            append_and_commit();
        struck = false;
    }
    disk_sim_crash_at(0, NULL);
    disk_sim_after_kill();
    writer_open();
    uint32_t seen = read_all();
    assert_in_range(seen, acked, made);
    made = seen;
    append_and_commit();
    disk_sim_after_power_loss();
    if (read_all() != acked)
        fail_msg("killed at operation %lu, seed %lu: change %u was acknowledged and is lost", (unsigned long)operation,
                 (unsigned long)seed, acked);
    disk_sim_destroy();
    return struck;
}

static void what_a_successor_acknowledges_survives(void **state)
{
    (void)state;
    for (uint64_t operation = 1; killed_at(operation, 1); operation++)
        for (uint64_t seed = 2; seed <= SEEDS; seed++)
            killed_at(operation, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_successor_acknowledges_survives)};
    int status = cmocka_run_group_tests(tests, NULL, NULL);
    fflush(NULL);
    _exit(status); /* a crash leaks what the dead process had: there is nothing to look for */
}
