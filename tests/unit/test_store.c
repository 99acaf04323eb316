#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "keys/fold.h"
#include "keys/log_state.h"
#include "keys/lookup.h"
#include "keys/status_list.h"

#define DEPTH 64

static char directory[64];
static char line[512];
static struct log_writer *writer;
static struct log_reader *reader;
static struct store *store;
static struct lookup *lookup;

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/chengmen-store-XXXXXX");
    if (!mkdtemp(directory) || log_writer_open(directory, &writer, line, sizeof(line)) != LOG_OK ||
        log_reader_open(directory, &reader, line, sizeof(line)) != LOG_OK ||
        store_open(directory, 100000, &store) != 0 || lookup_open(DEPTH, &lookup) != 0)
        return -1;
    return lookup_start_thread(lookup);
}

static int end(void **state)
{
    (void)state;
    lookup_close(lookup);
    store_close(store);
    log_reader_close(reader);
    log_writer_close(writer);
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static struct subject_record make(uint32_t subject, uint64_t version)
{
    uint8_t id[SUBJECT_SIZE] = {0};
    memcpy(id, &subject, sizeof(subject));
    struct subject_record record = {
        .version = version, .since_s = subject, .arrival_day = (uint32_t)(subject ^ version)};
    subject_key(store_identity(store)->hash_key, bytes_of_text("CN-310000"), id, record.key);
    record.colour = (uint8_t)(version % 3);
    return record;
}

static void change(uint32_t from, uint32_t to, uint64_t version)
{
    for (uint32_t i = from; i < to; i++) {
        struct subject_record record = make(i, version);
        assert_int_equal(
            log_writer_append(writer, LOG_SUBJECT, (struct bytes){(uint8_t *)&record, sizeof(record)}, NULL), LOG_OK);
    }
    assert_int_equal(log_writer_commit(writer), LOG_OK);
}

/* The store thread's round. */
static void follow(void)
{
    struct log_record record;
    enum log_status status;
    while ((status = log_reader_next(reader, &record)) == LOG_OK)
        store_take(store, &record);
    assert_int_equal(status, LOG_END);
    bool changed, more;
    do {
        more = store_step(store, &changed);
        if (changed)
            store_release(store);
    } while (more || changed);
}

static void fold(void)
{
    struct fold *folding;
    enum fold_status status = fold_open(directory, &folding, line, sizeof(line));
    if (status != FOLD_MORE)
        fail_msg("%s", line);
    while ((status = fold_step(folding)) == FOLD_MORE)
        ;
    if (status != FOLD_READY)
        fail_msg("%d %s", status, fold_error(folding));
    status = fold_commit(folding, writer);
    if (status != FOLD_DONE)
        fail_msg("%d %s", status, fold_error(folding));
    fold_close(folding);
}

/* Looks one subject up and waits for the answer. */
static enum lookup_status look(uint32_t subject, struct subject_record *out)
{
    struct subject_record record = make(subject, 1);
    struct store_view view = store_view(store);
    enum lookup_status status = lookup_start(lookup, &view, record.key, subject, out);
    if (status != LOOKUP_PENDING)
        return status;
    lookup_submit(lookup);
    struct lookup_result result;
    while (lookup_reap(lookup, &view, &result, 1) == 0)
        ;
    assert_int_equal(result.cookie, subject);
    *out = result.record;
    return result.status;
}

static void expect(uint32_t from, uint32_t to, uint64_t version)
{
    for (uint32_t i = from; i < to; i++) {
        struct subject_record expected = make(i, version), found;
        enum lookup_status status = look(i, &found);
        if (status != (version ? LOOKUP_FOUND : LOOKUP_ABSENT))
            fail_msg("subject %u version %llu: status %d", i, (unsigned long long)version, status);
        if (version)
            assert_memory_equal(&found, &expected, sizeof(found));
    }
}

static void overlay_and_tables_agree(void **state)
{
    (void)state;
    struct store_info info;
    expect(0, 10, 0);
    change(0, 3000, 1);
    follow();
    expect(0, 3000, 1);
    fold();
    follow();
    store_info(store, &info);
    assert_int_equal(info.table_number, 1);
    assert_int_equal(info.table_records, 3000);
    assert_int_equal(info.overlay_records, 0);
    expect(0, 3000, 1);
    expect(3000, 4000, 0);
    change(2000, 4000, 5);
    follow();
    expect(0, 2000, 1);
    expect(2000, 4000, 5);
    fold();
    change(3999, 4001, 7);
    follow();
    store_info(store, &info);
    assert_int_equal(info.table_number, 2);
    assert_int_equal(info.table_records, 4000);
    assert_int_equal(info.overlay_records, 2);
    expect(0, 2000, 1);
    expect(2000, 3999, 5);
    expect(3999, 4001, 7);
    expect(4001, 4100, 0);
    char path[160];
    snprintf(path, sizeof(path), "%s/table-1", directory);
    assert_int_equal(access(path, F_OK), -1);

    store_close(store);
    log_reader_close(reader);
    assert_int_equal(log_reader_open(directory, &reader, line, sizeof(line)), LOG_OK);
    assert_int_equal(store_open(directory, 100000, &store), 0);
    follow();
    lookup_close(lookup);
    assert_int_equal(lookup_open(DEPTH, &lookup), 0);
    assert_int_equal(lookup_start_thread(lookup), 0);
    expect(0, 2000, 1);
    expect(2000, 3999, 5);
    expect(3999, 4001, 7);
}

static void removed_is_absent(void **state)
{
    (void)state;
    change(0, 100, 1);
    struct subject_record record = make(50, 2), found;
    record.flags = SUBJECT_REMOVED;
    assert_int_equal(log_writer_append(writer, LOG_SUBJECT, (struct bytes){(uint8_t *)&record, sizeof(record)}, NULL),
                     LOG_OK);
    assert_int_equal(log_writer_commit(writer), LOG_OK);
    follow();
    assert_int_equal(look(50, &found), LOOKUP_ABSENT);
    fold();
    follow();
    assert_int_equal(look(50, &found), LOOKUP_ABSENT);
    /* A change that arrives late does not bring it back. */
    change(50, 51, 1);
    fold();
    follow();
    assert_int_equal(look(50, &found), LOOKUP_ABSENT);
    expect(49, 50, 1);
}

static void a_late_change_does_not_win(void **state)
{
    (void)state;
    change(0, 100, 5);
    fold();
    follow();
    change(10, 20, 4);
    change(20, 30, 5);
    change(30, 40, 6);
    change(200, 210, 1);
    follow();
    expect(0, 30, 5);
    expect(30, 40, 6);
    expect(40, 100, 5);
    expect(200, 210, 1);
    fold();
    follow();
    expect(0, 30, 5);
    expect(30, 40, 6);
    expect(200, 210, 1);
}

/* Reads are under way while a new table comes into force; nothing is reaped in between. */
static void tables_change_under_reads(void **state)
{
    (void)state;
    change(0, 5000, 1);
    fold();
    follow();
    for (uint64_t round = 2; round < 8; round++) {
        struct store_view view = store_view(store);
        struct subject_record found;
        unsigned waiting = 0;
        for (uint32_t i = 0; i < DEPTH; i++) {
            struct subject_record record = make(i * 70, 1);
            assert_int_equal(lookup_start(lookup, &view, record.key, i * 70, &found), LOOKUP_PENDING);
            waiting++;
            if (i == DEPTH / 2)
                lookup_submit(lookup);
        }
        struct subject_record one = make(4999, 1);
        assert_int_equal(lookup_start(lookup, &view, one.key, 0, &found), LOOKUP_BUSY);
        change(0, 5000, round);
        fold();
        follow(); /* the old view is freed */
        view = store_view(store);
        lookup_submit(lookup);
        while (waiting > 0) {
            struct lookup_result results[7];
            unsigned n = lookup_reap(lookup, &view, results, 7);
            for (unsigned i = 0; i < n; i++) {
                assert_int_equal(results[i].status, LOOKUP_FOUND);
                struct subject_record expected = make((uint32_t)results[i].cookie, round);
                assert_memory_equal(&results[i].record, &expected, sizeof(expected));
            }
            waiting -= n;
        }
        assert_int_equal(lookup_pending(lookup), 0);
    }
}

static void damage(const char *name, off_t offset)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    int file = open(path, O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(file, &byte, 1, offset), 1);
    byte ^= 1;
    assert_int_equal(pwrite(file, &byte, 1, offset), 1);
    close(file);
}

static void restart(void)
{
    store_close(store);
    log_reader_close(reader);
    lookup_close(lookup);
    assert_int_equal(log_reader_open(directory, &reader, line, sizeof(line)), LOG_OK);
    assert_int_equal(store_open(directory, 100000, &store), 0);
    assert_int_equal(lookup_open(DEPTH, &lookup), 0);
    assert_int_equal(lookup_start_thread(lookup), 0);
    follow();
}

static void damage_is_never_an_answer(void **state)
{
    (void)state;
    struct store_info info;
    struct subject_record found;
    change(0, 500, 1);
    fold();
    restart();
    damage("filter-1", 4096 + 77);
    restart();
    store_info(store, &info);
    assert_true(info.filter_damaged);
    expect(0, 500, 1);
    expect(500, 600, 0);

    damage("table-1", (off_t)table_page_offset(3) + 100);
    restart();
    unsigned damaged = 0;
    for (uint32_t i = 0; i < 600; i++) {
        enum lookup_status status = look(i, &found);
        if (status == LOOKUP_DAMAGED)
            damaged++;
        else
            assert_int_equal(status, i < 500 ? LOOKUP_FOUND : LOOKUP_ABSENT);
    }
    assert_in_range(damaged, 10, 150);

    damage("table-1", 20);
    restart();
    store_info(store, &info);
    assert_true(info.table_damaged);
    for (uint32_t i = 0; i < 600; i++)
        assert_int_equal(look(i, &found), LOOKUP_DAMAGED);
    change(7, 8, 2);
    follow();
    assert_int_equal(look(7, &found), LOOKUP_DAMAGED); /* the table may have known a later version */
    change(7, 8, UINT64_MAX);
    follow();
    expect(7, 8, UINT64_MAX);
}

/* Keys, points and lists stay in force when the segments that brought them go. */
static void state_outlives_its_segment(void **state)
{
    (void)state;
    static uint8_t bits[STATUS_LIST_BYTES_MAX], encoded[STATUS_LIST_ENCODED_MAX];
    struct status_list list = {
        .uri = "u", .issuer = "i", .exp_s = 1000, .entries = STATUS_LIST_ENTRIES_MAX, .bits = bits};
    log_writer_set_segment_bytes(writer, 1 << 20);
    for (unsigned i = 0; i < 30;
         i++) { /* a list replaced again and again: eight segments, of which one record counts */
        list.iat_s = i;
        size_t size = status_list_encode(&list, encoded, sizeof(encoded));
        assert_int_equal(log_writer_append(writer, LOG_STATUS_LIST, (struct bytes){encoded, size}, NULL), LOG_OK);
    }
    static const uint8_t points[3] = {7, 8, 9}; /* CBOR integers */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(log_writer_append(writer, LOG_POINT_REMOVE, (struct bytes){points + i, 1}, NULL), LOG_OK);
    change(0, 100, 1);
    fold();
    change(100, 200, 1);
    struct log_writer_info info;
    log_writer_info(writer, &info);
    assert_true(info.first > 1);
    restart();
    expect(0, 200, 1);
    log_reader_close(reader);
    assert_int_equal(log_reader_open(directory, &reader, line, sizeof(line)), LOG_OK);
    struct log_record record;
    enum log_status status;
    struct status_list last = {.iat_s = 0};
    while ((status = log_reader_next(reader, &record)) == LOG_OK) {
        if (record.type == LOG_STATUS_LIST)
            assert_true(status_list_decode(record.payload, &last));
    }
    assert_int_equal(status, LOG_END);
    assert_int_equal(last.iat_s, 29);
}

/* One set may be in force while another waits for its day: folding must keep both, and not every set there ever was. */
static void folding_keeps_the_last_rules(void **state)
{
    (void)state;
    struct log_state *live = log_state_create();
    uint8_t program = 0;
    struct log_record record = {.type = LOG_RULES, .payload = {&program, 1}};
    for (record.sequence = 1; record.sequence <= LOG_RULES_KEPT + 4; record.sequence++)
        assert_true(log_state_take(live, &record));
    for (record.sequence = 1; record.sequence <= LOG_RULES_KEPT + 4; record.sequence++)
        assert_int_equal(log_state_live(live, &record), record.sequence > 4);
    log_state_free(live);
}

/* A table that a fold replaced and removed while its reader was on the way to it is not a damaged one. */
static void a_table_that_was_replaced_is_passed_over(void **state)
{
    (void)state;
    struct log_record record;
    struct store_info info;
    change(0, 100, 1);
    fold();
    do
        assert_int_equal(log_reader_next(reader, &record), LOG_OK);
    while (store_take(store, &record) && record.type != LOG_TABLE);
    change(100, 200, 1);
    fold();
    bool changed, more = store_step(store, &changed);
    store_info(store, &info);
    assert_true(more && !changed && !info.table_damaged);
    assert_false(store_complete(store));
    follow();
    assert_true(store_complete(store));
    expect(0, 200, 1);
    change(200, 300, 1);
    fold();
    char name[128];
    snprintf(name, sizeof(name), "%s/table-3", directory);
    assert_int_equal(unlink(name), 0);
    follow(); /* but one that is gone for good is */
    store_info(store, &info);
    assert_true(info.table_damaged);
}

static void nothing_to_fold_is_told(void **state)
{
    (void)state;
    struct fold *folding;
    assert_int_equal(fold_open(directory, &folding, line, sizeof(line)), FOLD_NOTHING);
    change(0, 3, 1);
    fold();
    assert_int_equal(fold_open(directory, &folding, line, sizeof(line)), FOLD_NOTHING);
}

static void a_full_overlay_is_not_believed(void **state)
{
    (void)state;
    store_close(store);
    assert_int_equal(store_open(directory, 50, &store), 0);
    change(0, 60, 1);
    follow();
    struct subject_record found;
    expect(0, 50, 1);
    assert_int_equal(look(55, &found), LOOKUP_DAMAGED);
    assert_int_equal(look(1000, &found), LOOKUP_DAMAGED);
    fold();
    follow();
    expect(0, 60, 1);
    expect(60, 70, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(overlay_and_tables_agree),
        TEST(removed_is_absent),
        TEST(a_late_change_does_not_win),
        TEST(tables_change_under_reads),
        TEST(damage_is_never_an_answer),
        TEST(state_outlives_its_segment),
        TEST(a_table_that_was_replaced_is_passed_over),
        TEST(nothing_to_fold_is_told),
        TEST(folding_keeps_the_last_rules),
        TEST(a_full_overlay_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
