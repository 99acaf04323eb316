/* The store on a disk that crashes and fails: a script of changes, commits, folds and restarts, whose every step is
 * known to a model. After each crash or failure: no acknowledged change is lost, what there is beyond is a beginning of
 * what was written, and no subject has a wrong record. A seed gives the same run again. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/fold.h"
#include "keys/lookup.h"
#include "keys/status_list.h"
#include "tests/simulator/disk_sim.h"

#define STEPS 2000
#define SUBJECTS 300
#define LISTS 3
#define LIST_ENTRIES 64
#define SEGMENT_BYTES 6000
#define SEEDS_A_PROCESS 50 /* a crash leaks what the dead process had */
#define READS 16
#define ROOM 700 /* of a change's record */
#define NO_OP 0
/* The first crash or failure strikes at operation number seed, so that as many seeds as a script has operations (5,000
 * to 18,000) strike at each in turn; those after it come at random. */
#define FIRST_MAX 18000
#define GAP_MAX 1500

/* One change as the script made it; its number is its place in the list plus one. */
struct change {
    uint32_t subject; /* SUBJECTS: rules; above: RULES + 1 + list */
    uint64_t version;
    bool whole; /* of a list: all its entries */
    uint8_t index, value;
};

static struct {
    uint64_t seed;
    struct change changes[STEPS];
    uint32_t made;  /* changes that were appended */
    uint32_t acked; /* of these, in order, acknowledged */
    uint32_t step;
    struct log_writer *writer;
    uint64_t crashes, folds, failures, full;
    unsigned list_share; /* of a hundred changes */
    bool armed;          /* a crash or failure is to come */
    uint64_t strike_at;  /* at this operation */
    uint64_t operations;
    char error[256];
} run;

static jmp_buf crash;

__attribute__((format(printf, 1, 2), noreturn)) static void wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "FAILED  seed %" PRIu64 " step %u: ", run.seed, run.step);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    fflush(stderr);
    _exit(1);
}

static void subject_make(uint32_t subject, uint8_t key[SUBJECT_KEY_SIZE])
{
    static const uint8_t hash_key[SUBJECT_HASH_KEY_SIZE] = {9};
    uint8_t id[SUBJECT_SIZE] = {0};
    memcpy(id, &subject, sizeof(subject));
    subject_key(hash_key, bytes_of_text("CN-310000"), id, key);
}

/* The record of change number `op`. */
static struct subject_record record_make(uint32_t op)
{
    const struct change *change = &run.changes[op - 1];
    struct subject_record record = {.version = change->version, .arrival_day = op, .since_s = change->subject};
    subject_make(change->subject, record.key);
    record.colour = (uint8_t)(op % 3);
    return record;
}

/* The change that is in force for a subject after the first `count`; NO_OP: none. */
static uint32_t model(uint32_t subject, uint32_t count)
{
    uint32_t latest = NO_OP;
    for (uint32_t op = 1; op <= count; op++) {
        const struct change *change = &run.changes[op - 1];
        if (change->subject == subject &&
            (latest == NO_OP || subject == SUBJECTS || change->version >= run.changes[latest - 1].version))
            latest = op;
    }
    return latest;
}

struct list {
    uint32_t op; /* the last change of it; NO_OP: there is none */
    uint8_t bits[LIST_ENTRIES / 4];
};

/* The list after the first `count` changes. */
static struct list model_list(uint32_t number, uint32_t count)
{
    struct list list = {.op = NO_OP};
    for (uint32_t op = 1; op <= count; op++) {
        const struct change *change = &run.changes[op - 1];
        if (change->subject != SUBJECTS + 1 + number)
            continue;
        list.op = op;
        if (change->whole)
            memset(list.bits, change->value * 0x55, sizeof(list.bits));
        unsigned shift = (change->index & 3u) * 2;
        uint8_t *byte = &list.bits[change->index >> 2];
        *byte = (uint8_t)((*byte & ~(3u << shift)) | (unsigned)change->value << shift);
    }
    return list;
}

/* What a reader found. */
struct seen {
    uint32_t last;  /* highest change in the log */
    uint32_t rules; /* the change that the rules come from */
    struct list lists[LISTS];
};

/* Lists carry the number of their last change as their time. */
static uint32_t see_list(struct seen *seen, const struct log_record *record)
{
    struct status_list whole;
    struct status_change change;
    if (record->type == LOG_STATUS_LIST) {
        if (!status_list_decode(record->payload, &whole) || whole.entries != LIST_ENTRIES)
            wrong("a list is not in its form");
        struct list *list = &seen->lists[whole.uri[0] - 'a'];
        memcpy(list->bits, whole.bits, sizeof(list->bits));
        return list->op = (uint32_t)whole.iat_s;
    }
    if (!status_change_decode(record->payload, &change))
        wrong("a change of a list is not in its form");
    struct list *list = &seen->lists[change.uri[0] - 'a'];
    whole = (struct status_list){.entries = LIST_ENTRIES, .bits = list->bits};
    memcpy(whole.uri, change.uri, sizeof(whole.uri));
    if (list->op != NO_OP && !status_change_apply(&change, &whole, list->bits))
        wrong("a change of a list does not fit it");
    list->op = list->op != NO_OP ? (uint32_t)change.iat_s : NO_OP;
    return (uint32_t)change.iat_s;
}

static void see(struct seen *seen, const struct log_record *record)
{
    uint32_t op = NO_OP;
    if (record->type == LOG_RULES && record->payload.length >= sizeof(op)) {
        memcpy(&op, record->payload.data, sizeof(op));
        seen->rules = op;
    }
    if (record->type == LOG_STATUS_LIST || record->type == LOG_LIST_CHANGE)
        op = see_list(seen, record);
    for (size_t at = 0; record->type == LOG_SUBJECT && at < record->payload.length;
         at += sizeof(struct subject_record)) {
        struct subject_record subject;
        memcpy(&subject, record->payload.data + at, sizeof(subject));
        op = subject.arrival_day > op ? subject.arrival_day : op;
    }
    seen->last = op > seen->last ? op : seen->last;
}

/* A dataplane that starts: everything the log says, and the table brought into force. False where the disk fails. */
static bool follow(struct store *store, struct log_reader *reader, struct seen *seen, enum log_status *end)
{
    struct log_record record;
    while ((*end = log_reader_next(reader, &record)) == LOG_OK) {
        see(seen, &record);
        if (!store_take(store, &record))
            wrong("a record is refused");
    }
    if (*end == LOG_FAILED)
        return false;
    bool changed, more;
    do {
        more = store_step(store, &changed);
        if (changed)
            store_release(store);
    } while (more || changed);
    return true;
}

static enum lookup_status look(struct lookup *lookup, const struct store_view *view, const uint8_t *key,
                               struct subject_record *found)
{
    enum lookup_status status = lookup_start(lookup, view, key, 0, found);
    struct lookup_result result;
    if (status != LOOKUP_PENDING)
        return status;
    lookup_submit(lookup);
    while (lookup_reap(lookup, view, &result, 1) == 0)
        ;
    *found = result.record;
    return result.status;
}

/* Every subject has the record that the model has after `count` changes. `damaged`: it may also have none to give. */
static void compare(struct store *store, uint32_t count, bool damaged)
{
    struct lookup *lookup;
    if (lookup_open(READS, &lookup) != 0)
        wrong("no lookup");
    struct store_view view = store_view(store);
    for (uint32_t subject = 0; subject < SUBJECTS; subject++) {
        uint8_t key[SUBJECT_KEY_SIZE];
        struct subject_record found, expected;
        uint32_t op = model(subject, count);
        subject_make(subject, key);
        enum lookup_status status = look(lookup, &view, key, &found);
        if (damaged && (status == LOOKUP_DAMAGED || status == LOOKUP_FAILED))
            continue;
        if (status != (op == NO_OP ? LOOKUP_ABSENT : LOOKUP_FOUND))
            wrong("subject %u: status %d, after %u changes change %u is in force", subject, status, count, op);
        if (op == NO_OP)
            continue;
        expected = record_make(op);
        if (memcmp(&found, &expected, sizeof(found)) != 0)
            wrong("subject %u: record of change %u instead of %u", subject, found.arrival_day, op);
    }
    lookup_close(lookup);
}

static void compare_lists(const struct seen *seen, uint32_t count)
{
    for (uint32_t i = 0; i < LISTS; i++) {
        struct list expected = model_list(i, count);
        const struct list *found = &seen->lists[i];
        if (found->op != expected.op || memcmp(found->bits, expected.bits, sizeof(found->bits)) != 0)
            wrong("list %u of change %u instead of %u, or with other entries", i, found->op, expected.op);
    }
}

/* Reads the store as a dataplane that starts now; returns how many changes are in force. */
static uint32_t check(bool rotten)
{
    struct log_reader *reader;
    struct store *store;
    struct seen seen = {0};
    enum log_status status = log_reader_open("sim", &reader, run.error, sizeof(run.error));
    if (status == LOG_NO_STORE && run.acked == 0)
        return 0;
    if (status != LOG_OK && rotten)
        return run.acked;
    if (status != LOG_OK || store_open("sim", 10000, &store) != 0)
        wrong("cannot open a reader: %s", run.error);
    if (!follow(store, reader, &seen, &status))
        wrong("reader: %s", log_reader_error(reader));
    if (status != LOG_END && !rotten)
        wrong("reader ends with %d: %s", status, log_reader_error(reader));
    uint32_t count = seen.last > run.acked ? seen.last : run.acked;
    if (count > run.made)
        wrong("change %u was never made", count);
    if (status == LOG_END) {
        compare(store, count, rotten);
        if (seen.rules != model(SUBJECTS, count))
            wrong("rules of change %u instead of %u", seen.rules, model(SUBJECTS, count));
        compare_lists(&seen, count);
    }
    store_close(store);
    log_reader_close(reader);
    return count;
}

static void writer_open(void)
{
    enum log_status status = log_writer_open("sim", &run.writer, run.error, sizeof(run.error));
    if (status != LOG_OK)
        wrong("cannot open the writer: %s", run.error);
    log_writer_set_segment_bytes(run.writer, SEGMENT_BYTES);
}

/* After a crash or failure: the store comes back, with all that was acknowledged. */
static void recover(void)
{
    disk_sim_heal();
    disk_sim_crash_at(0, NULL);
    run.armed = false;
    if (disk_sim_random(2)) {
        uint32_t seen = check(false);
        if (seen > run.acked)
            run.acked = seen; /* whoever saw it must see it again */
    }
    writer_open();
    run.acked = run.made = check(false);
}

static void restart(void)
{
    run.writer = NULL;
    run.failures++;
    if (disk_sim_random(2))
        disk_sim_after_kill();
    else
        disk_sim_after_power_loss();
    recover();
}

/* The next change's record, in `room`; returns its type. */
static enum log_type make_change(uint8_t *room, struct bytes *payload)
{
    struct change *change = &run.changes[run.made];
    uint32_t op = run.made + 1;
    *change = (struct change){.version = disk_sim_random(8) ? op : 1 + disk_sim_random(op)};
    change->subject = disk_sim_random(20) ? (uint32_t)disk_sim_random(SUBJECTS) : SUBJECTS;
    if (disk_sim_random(100) < run.list_share)
        change->subject = SUBJECTS + 1 + (uint32_t)disk_sim_random(LISTS);
    payload->data = room;
    if (change->subject == SUBJECTS) {
        memset(room, 0, ROOM);
        memcpy(room, &op, sizeof(op));
        payload->length = sizeof(op) + disk_sim_random(ROOM - sizeof(op));
        return LOG_RULES;
    }
    if (change->subject < SUBJECTS) {
        struct subject_record record = record_make(op);
        payload->length = sizeof(record);
        memcpy(room, &record, sizeof(record));
        return LOG_SUBJECT;
    }
    uint32_t number = change->subject - SUBJECTS - 1;
    change->whole = disk_sim_random(30) == 0 || model_list(number, run.made).op == NO_OP;
    change->index = (uint8_t)disk_sim_random(LIST_ENTRIES);
    change->value = (uint8_t)disk_sim_random(4);
    if (change->whole) {
        struct list content = model_list(number, op);
        struct status_list list = {
            .uri = {(char)('a' + number)}, .issuer = "i", .iat_s = op, .entries = LIST_ENTRIES, .bits = content.bits};
        payload->length = status_list_encode(&list, room, ROOM);
        return LOG_STATUS_LIST;
    }
    uint8_t entry[STATUS_CHANGE_ENTRY_SIZE];
    struct status_change entries = {.uri = {(char)('a' + number)}, .iat_s = op, .count = 1, .entries = entry};
    status_change_put(entry, 0, change->index, (enum status_value)change->value);
    payload->length = status_change_encode(&entries, room, ROOM);
    return LOG_LIST_CHANGE;
}

static void append(void)
{
    uint8_t room[ROOM];
    struct bytes payload;
    enum log_type type = make_change(room, &payload);
    run.made++; /* a crash in the call may leave it behind */
    enum log_status status = log_writer_append(run.writer, type, payload, NULL);
    if (status == LOG_NO_SPACE) {
        run.made--;
        run.full++;
        run.armed = false;
        disk_sim_heal();
    } else if (status != LOG_OK) {
        restart();
    }
}

static void commit(void)
{
    enum log_status status = log_writer_commit(run.writer);
    if (status == LOG_OK) {
        run.acked = run.made;
        return;
    }
    if (status != LOG_FAILED || log_writer_commit(run.writer) != LOG_FAILED)
        wrong("a writer that failed goes on: %d", status);
    restart();
}

static void fold(void)
{
    struct fold *folding;
    enum fold_status status = fold_open("sim", &folding, run.error, sizeof(run.error));
    if (status != FOLD_MORE)
        return;
    run.folds++;
    while ((status = fold_step(folding)) == FOLD_MORE)
        ;
    if (status == FOLD_READY && disk_sim_random(8)) {
        /* Acknowledged before the fold can drop it from the log, where the check would look for it. */
        uint64_t failures = run.failures;
        commit();
        if (failures != run.failures)
            return; /* the process that folded is gone */
        status = fold_commit(folding, run.writer);
    }
    fold_close(folding);
    if (status == FOLD_FAILED)
        restart();
}

static void reopen(void)
{
    log_writer_close(run.writer);
    run.writer = NULL;
    disk_sim_after_kill();
    recover();
}

/* A reader beside the writer sees all that is durable and nothing more. */
static void observe(void)
{
    struct log_reader *reader;
    struct log_record record = {.sequence = 0};
    enum log_status status = log_reader_open("sim", &reader, run.error, sizeof(run.error));
    if (status == LOG_FAILED)
        return;
    if (status != LOG_OK)
        wrong("cannot open a reader: %s", run.error);
    while ((status = log_reader_next(reader, &record)) == LOG_OK)
        ;
    struct log_writer_info info;
    log_writer_info(run.writer, &info);
    if (status != LOG_FAILED && (status != LOG_END || record.sequence != info.durable))
        wrong("reader beside the writer ends at %" PRIu64 " of %" PRIu64 " with %d: %s", record.sequence, info.durable,
              status, log_reader_error(reader));
    log_reader_close(reader);
}

static void arm(void)
{
    run.armed = true;
    uint64_t at = run.strike_at, now = disk_sim_operations();
    if (at <= now) /* the one before has struck: it is not put off by a restart */
        at = run.strike_at = now + 1 + disk_sim_random(GAP_MAX);
    switch (disk_sim_random(4)) {
    case 0:
        disk_sim_fail_at(at, DISK_SIM_EIO, disk_sim_random(2));
        break;
    case 1:
        disk_sim_fail_at(at, DISK_SIM_ENOSPC, disk_sim_random(2));
        break;
    default:
        disk_sim_crash_at(at, &crash);
    }
}

static void script(void)
{
    for (; run.step < STEPS && run.made < STEPS; run.step++) {
        if (!run.armed)
            arm();
        uint64_t dice = disk_sim_random(100);
        if (dice < 62)
            append();
        else if (dice < 90)
            commit();
        else if (dice < 95)
            observe();
        else if (dice < 98)
            fold();
        else if (dice < 99)
            reopen();
    }
}

/* The store lies still; something on the medium rots, is lost or is written elsewhere. */
static void rot(void)
{
    static const char *const prefixes[] = {"log-", "log-", "table-", "filter-", "durable", "identity"};
    char name[DISK_NAME_MAX], other[DISK_NAME_MAX];
    uint64_t size, other_size;
    log_writer_commit(run.writer);
    run.acked = run.made;
    log_writer_close(run.writer);
    disk_sim_after_kill();
    const char *prefix = prefixes[disk_sim_random(sizeof(prefixes) / sizeof(prefixes[0]))];
    if (!disk_sim_choose(prefix, name, &size) || size == 0)
        return;
    switch (disk_sim_random(3)) {
    case 0:
        disk_sim_flip(name, disk_sim_random(size), (uint8_t)(1 + disk_sim_random(255)));
        break;
    case 1:
        disk_sim_lose(name, disk_sim_random(size) / DISK_BLOCK_SIZE);
        break;
    default:
        if (disk_sim_choose(prefix, other, &other_size) && other_size > 0)
            disk_sim_misdirect(other, disk_sim_random(other_size) / DISK_BLOCK_SIZE, name,
                               disk_sim_random(size) / DISK_BLOCK_SIZE);
    }
    check(true);
}

static void run_seed(uint64_t seed)
{
    memset(&run, 0, sizeof(run));
    run.seed = seed;
    run.strike_at = 1 + seed % FIRST_MAX;
    run.list_share = seed % 4 == 0 ? 98 : 20; /* some logs have hardly anything but lists to fold */
    disk_sim_create(seed);
    disk_sim_short(seed % 2 ? 7 : 0);
    writer_open();
    while (run.step < STEPS && run.made < STEPS) {
        if (setjmp(crash) == 0) {
            script();
        } else {
            run.crashes++;
            if (disk_sim_random(3) == 0)
                disk_sim_after_kill();
            else
                disk_sim_after_power_loss();
            recover();
        }
    }
    disk_sim_heal();
    disk_sim_crash_at(0, NULL);
    run.operations = disk_sim_operations();
    if (log_writer_commit(run.writer) == LOG_OK)
        rot();
}

struct totals {
    uint64_t crashes, folds, failures, operations;
};

/* Runs seeds from `first` in a process of its own; false where one failed. */
static bool run_batch(uint64_t first, uint64_t count, struct totals *totals)
{
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        struct totals sum = {0};
        for (uint64_t seed = first; seed < first + count; seed++) {
            run_seed(seed);
            sum.crashes += run.crashes;
            sum.folds += run.folds;
            sum.failures += run.failures;
            sum.operations += run.operations;
        }
        _exit(write(ends[1], &sum, sizeof(sum)) == sizeof(sum) ? 0 : 1);
    }
    close(ends[1]);
    struct totals sum = {0};
    ssize_t n = read(ends[0], &sum, sizeof(sum));
    close(ends[0]);
    int how;
    waitpid(child, &how, 0);
    totals->crashes += sum.crashes;
    totals->folds += sum.folds;
    totals->failures += sum.failures;
    totals->operations += sum.operations;
    if (WIFSIGNALED(how))
        fprintf(stderr, "FAILED  a seed from %" PRIu64 " to %" PRIu64 ": signal %d\n", first, first + count - 1,
                WTERMSIG(how));
    return n == sizeof(sum) && WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'}, {"seeds", required_argument, NULL, 'n'}, {NULL, 0, NULL, 0}};
    uint64_t first = 1, count = 200;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?') {
            fprintf(stderr, "usage: store_simulator [--seed N] [--seeds COUNT]\n");
            return 2;
        }
        uint64_t value = strtoull(optarg, NULL, 10);
        if (option == 'n')
            count = value;
        else
            first = value, count = 1;
    }
    disk_sim_seed_randombytes();
    struct totals totals = {0};
    uint64_t good = 0, bad = 0;
    for (uint64_t at = 0; at < count; at += SEEDS_A_PROCESS) {
        uint64_t n = count - at < SEEDS_A_PROCESS ? count - at : SEEDS_A_PROCESS;
        bool ok = run_batch(first + at, n, &totals);
        good += ok ? n : n - 1;
        bad += !ok;
    }
    printf("store: %" PRIu64 " crashes, %" PRIu64 " failures of the writer, %" PRIu64 " folds, %" PRIu64
           " operations\n",
           totals.crashes, totals.failures, totals.folds, totals.operations);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", good, bad);
    return bad ? 1 : 0;
}
