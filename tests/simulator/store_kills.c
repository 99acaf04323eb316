/* The real store, killed for real: a writing process gets SIGKILL at any moment of its changes and folds, again and
 * again; after each, every change that it had acknowledged is in force, and a reader that was there all the time sees
 * the first change of its successor. CHENGMEN_KILLS sets how often (500). */
#include "tests/unit/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keys/fold.h"
#include "keys/lookup.h"

#define KILLS 500
#define SUBJECTS 200
#define FOLD_EVERY 10
#define FIRST_MS_MAX 30000
#define LIFE_MS_MAX 60
#define DEPTH 64

static char directory[64];
static char line[512];

static uint64_t mix(uint64_t x)
{
    x = (x + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 31;
}

/* Change number n is of one subject, and its version is n. */
static struct subject_record make(uint64_t n)
{
    struct subject_record record = {.version = n, .since_s = (uint32_t)n};
    uint64_t halves[2] = {mix(mix(n) % SUBJECTS), mix(mix(n) % SUBJECTS + 1000)};
    memcpy(record.key, halves, sizeof(halves));
    return record;
}

static void fold(struct log_writer *writer)
{
    struct fold *folding;
    if (fold_open(directory, &folding, line, sizeof(line)) != FOLD_MORE)
        return;
    enum fold_status status;
    while ((status = fold_step(folding)) == FOLD_MORE)
        ;
    if (status != FOLD_READY || fold_commit(folding, writer) != FOLD_DONE)
        _exit(2);
    fold_close(folding);
}

/* The writing process: begins after change `last`, or after what it finds beyond. Says each acknowledged change. */
static void write_until_killed(uint64_t last, int told)
{
    struct log_writer *writer;
    if (log_writer_open(directory, &writer, line, sizeof(line)) != LOG_OK)
        _exit(3);
    log_writer_set_segment_bytes(writer, 1 << 16);
    for (uint64_t n = last + 1;; n++) {
        struct subject_record record = make(n);
        struct bytes payload = {(const uint8_t *)&record, sizeof(record)};
        if (log_writer_append(writer, LOG_SUBJECT, payload, NULL) != LOG_OK)
            _exit(4);
        if (mix(n) % 3 == 0)
            continue; /* it goes with the next one's commit */
        if (log_writer_commit(writer) != LOG_OK || write(told, &n, sizeof(n)) != sizeof(n))
            _exit(5);
        if (n % FOLD_EVERY == 0)
            fold(writer);
    }
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* Takes what is acknowledged for so long, or until the pipe ends. */
static uint64_t hear(int told, uint64_t acknowledged, double for_ms)
{
    struct pollfd ready = {told, POLLIN, 0};
    double end_ms = now_ms() + for_ms;
    uint64_t n;
    for (double left_ms = for_ms; left_ms > 0; left_ms = end_ms - now_ms()) {
        if (poll(&ready, 1, (int)left_ms + 1) > 0) {
            if (read(told, &n, sizeof(n)) != sizeof(n))
                break;
            acknowledged = n;
        }
    }
    return acknowledged;
}

static void follower_open(struct log_reader **reader, struct store **store)
{
    assert_int_equal(log_reader_open(directory, reader, line, sizeof(line)), LOG_OK);
    assert_int_equal(store_open(directory, 100000, store), 0);
}

static void follower_close(struct log_reader *reader, struct store *store)
{
    store_close(store);
    log_reader_close(reader);
}

/* Brings what the log says into force; returns the highest change seen in it. Where folds dropped what the reader needs
 * next, it begins again. */
static uint64_t follow(struct log_reader **reader, struct store **store, uint64_t highest)
{
    struct log_record record;
    enum log_status status;
    while ((status = log_reader_next(*reader, &record)) == LOG_OK) {
        assert_true(store_take(*store, &record));
        if (record.type != LOG_SUBJECT)
            continue;
        struct subject_record subject;
        memcpy(&subject, record.payload.data, sizeof(subject));
        highest = subject.version > highest ? subject.version : highest;
    }
    if (status == LOG_BEHIND) {
        follower_close(*reader, *store);
        follower_open(reader, store);
        return follow(reader, store, highest);
    }
    if (status != LOG_END)
        fail_msg("reader ends with %d: %s", status, log_reader_error(*reader));
    bool changed, more;
    do {
        more = store_step(*store, &changed);
        if (changed)
            store_release(*store);
    } while (more || changed);
    return highest;
}

/* Every subject is in its last change up to `acknowledged`, or in a later one that was written. */
static void check(struct store *store, uint64_t acknowledged, uint64_t written)
{
    struct lookup *lookup;
    struct store_view view = store_view(store);
    uint64_t last[SUBJECTS] = {0};
    for (uint64_t n = 1; n <= acknowledged; n++)
        last[mix(n) % SUBJECTS] = n;
    assert_int_equal(lookup_open(DEPTH, &lookup), 0);
    assert_int_equal(lookup_start_thread(lookup), 0);
    for (uint64_t subject = 0; subject < SUBJECTS; subject++) {
        if (last[subject] == 0)
            continue;
        struct subject_record expected = make(last[subject]);
        struct lookup_result result;
        result.status = lookup_start(lookup, &view, expected.key, 0, &result.record);
        if (result.status == LOOKUP_PENDING) {
            lookup_submit(lookup);
            while (lookup_reap(lookup, &view, &result, 1) == 0)
                ;
        }
        if (result.status != LOOKUP_FOUND || result.record.version < last[subject] || result.record.version > written)
            fail_msg("subject %" PRIu64 ": status %d version %" PRIu64 ", acknowledged %" PRIu64, subject,
                     result.status, result.record.version, last[subject]);
        expected = make(result.record.version);
        assert_memory_equal(&result.record, &expected, sizeof(expected));
    }
    lookup_close(lookup);
}

static void no_acknowledged_change_is_lost(void **state)
{
    (void)state;
    const char *told_kills = getenv("CHENGMEN_KILLS");
    unsigned kills = told_kills ? (unsigned)strtoul(told_kills, NULL, 10) : KILLS;
    struct log_writer *writer;
    struct log_reader *reader;
    struct store *store;
    if (log_writer_open(directory, &writer, line, sizeof(line)) != LOG_OK)
        fail_msg("%s", line);
    log_writer_close(writer);
    uint64_t acknowledged = 0, highest = 0;
    for (unsigned kill_number = 0; kill_number < kills; kill_number++) {
        follower_open(&reader, &store);
        highest = follow(&reader, &store, highest);
        int told[2];
        assert_int_equal(pipe(told), 0);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(highest, told[1]);
        close(told[1]);
        /* Three in four live until they acknowledged something, however slow the disk; the others die in recovery too.
         */
        struct pollfd first = {told[0], POLLIN, 0};
        if (kill_number % 4 != 0 && poll(&first, 1, FIRST_MS_MAX) == 0)
            fail_msg("the writer acknowledged nothing in %d ms", FIRST_MS_MAX);
        acknowledged = hear(told[0], acknowledged, (double)(mix(kill_number) % LIFE_MS_MAX));
        kill(child, SIGKILL);
        int how;
        waitpid(child, &how, 0);
        if (!WIFSIGNALED(how))
            fail_msg("the writer ended by itself: %d", WEXITSTATUS(how));
        acknowledged = hear(told[0], acknowledged, 1e6);
        close(told[0]);
        highest = follow(&reader, &store, highest); /* the reader that was there all the time */
        assert_true(highest >= acknowledged);
        check(store, acknowledged, highest);
        follower_close(reader, store);
    }
    assert_true(highest >= kills / 2);
}

static int begin(void **state)
{
    (void)state;
    /* A killed process loses nothing that it wrote, whatever the medium: the fastest will do. */
    snprintf(directory, sizeof(directory), "/dev/shm/chengmen-kills-XXXXXX");
    if (mkdtemp(directory))
        return 0;
    snprintf(directory, sizeof(directory), "/var/tmp/chengmen-kills-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(no_acknowledged_change_is_lost, begin, end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
