/* Lists and the changes of their entries when the log is written anew: what comes out is what went in, and it is short.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "keys/fold.h"
#include "keys/log_format.h"
#include "keys/log_state.h"
#include "keys/status_list.h"
#include "keys/store_tools.h"

#define LISTS 3
#define ENTRIES 64
#define SEGMENT_BYTES 4096

/* What a reader knows of the lists. */
struct lists {
    struct log_reader *reader;
    uint32_t orphans; /* changes of a list that was not there yet */
    struct status_list list[LISTS];
    uint8_t bits[LISTS][ENTRIES / 4];
};

static char directory[64];
static char line[512];
static struct log_writer *writer;
static struct lists model;
static uint64_t now_s;

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/chengmen-rewrite-XXXXXX");
    memset(&model, 0, sizeof(model));
    now_s = 1000;
    if (!mkdtemp(directory) || log_writer_open(directory, &writer, line, sizeof(line)) != LOG_OK)
        return -1;
    log_writer_set_segment_bytes(writer, SEGMENT_BYTES);
    return 0;
}

static int end(void **state)
{
    (void)state;
    log_writer_close(writer);
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static void put_list(unsigned number, uint8_t fill)
{
    uint8_t room[512];
    struct status_list *list = &model.list[number];
    memset(model.bits[number], fill, ENTRIES / 4);
    now_s++;
    *list = (struct status_list){.issuer = "i", .iat_s = now_s, .exp_s = now_s + 100, .entries = ENTRIES};
    snprintf(list->uri, sizeof(list->uri), "https://s/%u", number);
    list->bits = model.bits[number];
    size_t size = status_list_encode(list, room, sizeof(room));
    assert_int_equal(log_writer_append(writer, LOG_STATUS_LIST, (struct bytes){room, size}, NULL), LOG_OK);
}

static void put_change(unsigned number, uint32_t index, enum status_value value)
{
    uint8_t entry[STATUS_CHANGE_ENTRY_SIZE], room[STATUS_CHANGE_ENCODED_MAX(1)];
    now_s++;
    struct status_change change = {.iat_s = now_s, .exp_s = now_s + 100, .count = 1, .entries = entry};
    snprintf(change.uri, sizeof(change.uri), "https://s/%u", number);
    status_change_put(entry, 0, index, value);
    size_t size = status_change_encode(&change, room, sizeof(room));
    assert_int_equal(log_writer_append(writer, LOG_LIST_CHANGE, (struct bytes){room, size}, NULL), LOG_OK);
    assert_true(status_change_apply(&change, &model.list[number], model.bits[number]));
}

static void put_subject(uint64_t version)
{
    struct subject_record record = {.version = version, .key = {1}};
    struct bytes payload = {(const uint8_t *)&record, sizeof(record)};
    assert_int_equal(log_writer_append(writer, LOG_SUBJECT, payload, NULL), LOG_OK);
}

static void commit(void)
{
    assert_int_equal(log_writer_commit(writer), LOG_OK);
}

static void see(struct lists *seen, const struct log_record *record)
{
    struct status_list list;
    struct status_change change;
    unsigned number;
    if (record->type == LOG_STATUS_LIST) {
        assert_true(status_list_decode(record->payload, &list));
        assert_int_equal(sscanf(list.uri, "https://s/%u", &number), 1);
        seen->list[number] = list;
        memcpy(seen->bits[number], list.bits, list.entries / 4);
        seen->list[number].bits = seen->bits[number];
    } else if (record->type == LOG_LIST_CHANGE) {
        assert_true(status_change_decode(record->payload, &change));
        assert_int_equal(sscanf(change.uri, "https://s/%u", &number), 1);
        if (seen->list[number].uri[0])
            assert_true(status_change_apply(&change, &seen->list[number], seen->bits[number]));
        else
            seen->orphans++;
    }
}

/* Reads on, or from the beginning where `seen` is new, and compares with the model. */
static void read_and_compare(struct lists *seen)
{
    struct log_record record;
    enum log_status status;
    if (!seen->reader)
        assert_int_equal(log_reader_open(directory, &seen->reader, line, sizeof(line)), LOG_OK);
    while ((status = log_reader_next(seen->reader, &record)) == LOG_OK)
        see(seen, &record);
    if (status != LOG_END)
        fail_msg("%s", log_reader_error(seen->reader));
    for (unsigned i = 0; i < LISTS; i++) {
        assert_string_equal(seen->list[i].uri, model.list[i].uri);
        assert_int_equal(seen->list[i].iat_s, model.list[i].iat_s);
        assert_int_equal(seen->list[i].exp_s, model.list[i].exp_s);
        assert_memory_equal(seen->bits[i], model.bits[i], ENTRIES / 4);
    }
}

static void compare_anew(void)
{
    struct lists seen = {.reader = NULL};
    read_and_compare(&seen);
    log_reader_close(seen.reader);
}

static struct fold *fold_begin(void)
{
    struct fold *folding;
    if (fold_open(directory, &folding, line, sizeof(line)) != FOLD_MORE)
        fail_msg("%s", line);
    return folding;
}

static void fold_end(struct fold *folding)
{
    enum fold_status status;
    while ((status = fold_step(folding)) == FOLD_MORE)
        ;
    if (status != FOLD_READY || fold_commit(folding, writer) != FOLD_DONE)
        fail_msg("%d %s", status, fold_error(folding));
    fold_close(folding);
}

static void find_nothing_wrong(void)
{
    struct store_report report;
    assert_true(store_tools_verify(directory, &report, NULL, NULL, line, sizeof(line)));
    assert_int_equal(report.findings, 0);
}

/* A log of nothing but lists: the table, if there is one, stays, and the log becomes short. */
static void changes_of_lists_alone_are_folded(void **state)
{
    (void)state;
    struct lists there = {.reader = NULL};
    struct log_writer_info before, after;
    put_subject(1);
    for (unsigned i = 0; i < LISTS; i++)
        put_list(i, (uint8_t)(0x11 * i));
    commit();
    fold_end(fold_begin()); /* brings table 1 */
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 1000; i++) {
            put_change(i % (LISTS - 1), i * 7 % ENTRIES, (enum status_value)(i % 4));
            if (i % 10 == 0)
                commit();
        }
        commit();
        read_and_compare(&there);
        log_writer_info(writer, &before);
        fold_end(fold_begin());
        log_writer_info(writer, &after);
        assert_true(before.segments > 20);
        assert_true(after.segments <= 3);
        assert_true(after.bytes <= 3 * SEGMENT_BYTES);
        read_and_compare(&there);
        compare_anew();
        find_nothing_wrong();
    }
    struct store_report report;
    assert_true(store_tools_verify(directory, &report, NULL, NULL, line, sizeof(line)));
    assert_int_equal(report.table_number, 1);
    assert_int_equal(report.table_records, 1);
    struct fold *folding;
    assert_int_equal(fold_open(directory, &folding, line, sizeof(line)), FOLD_NOTHING);
    put_subject(2); /* and the next fold of subjects goes on from there */
    commit();
    fold_end(fold_begin());
    compare_anew();
    find_nothing_wrong();
    log_reader_close(there.reader);
}

static void without_a_table_too(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LISTS; i++)
        put_list(i, 0);
    for (uint32_t i = 0; i < 500; i++)
        put_change(i % LISTS, i % ENTRIES, STATUS_INVALID);
    commit();
    fold_end(fold_begin());
    compare_anew();
    find_nothing_wrong();
    struct log_writer_info info;
    log_writer_info(writer, &info);
    assert_true(info.first > 1);
    log_writer_close(writer);
    assert_int_equal(log_writer_open(directory, &writer, line, sizeof(line)), LOG_OK);
    compare_anew();
}

/* Changes that come while the fold is under way stay in the log behind a list that goes: a reader that begins there
 * meets them before the list, which must bring them. */
static void a_change_during_the_fold_is_kept(void **state)
{
    (void)state;
    struct lists there = {.reader = NULL}, later = {.reader = NULL};
    for (unsigned i = 0; i < LISTS; i++)
        put_list(i, 0xe4);
    for (uint32_t i = 0; i < 300; i++)
        put_change(0, i % ENTRIES, STATUS_SUSPENDED);
    put_subject(1);
    commit();
    read_and_compare(&there);
    struct fold *folding = fold_begin();
    for (uint32_t i = 0; i < 300; i++) {
        put_change(i % 2, i % ENTRIES, (enum status_value)(i % 3)); /* list 1 had no change before */
        if (i == 150)
            put_list(0, 0x1b);
    }
    commit();
    fold_end(folding);
    read_and_compare(&there);
    read_and_compare(&later);
    assert_true(later.orphans > 0);
    for (uint32_t i = 0; i < 300; i++)
        put_change(1, i % ENTRIES, STATUS_APPLICATION);
    commit();
    read_and_compare(&there);
    read_and_compare(&later);
    fold_end(fold_begin());
    read_and_compare(&there);
    read_and_compare(&later);
    compare_anew();
    find_nothing_wrong();
    log_reader_close(there.reader);
    log_reader_close(later.reader);
}

static void a_dump_has_the_lists_as_they_are(void **state)
{
    (void)state;
    char copy[80];
    uint64_t subjects;
    for (unsigned i = 0; i < LISTS; i++)
        put_list(i, 0xe4);
    for (uint32_t i = 0; i < 300; i++)
        put_change(1, i % ENTRIES, STATUS_SUSPENDED);
    commit();
    FILE *file = tmpfile();
    assert_true(store_tools_dump(directory, file, &subjects, line, sizeof(line)));
    rewind(file);
    snprintf(copy, sizeof(copy), "%s/copy", directory);
    if (!store_tools_restore(copy, file, &subjects, line, sizeof(line)))
        fail_msg("%s", line);
    fclose(file);
    char original[sizeof(directory)];
    memcpy(original, directory, sizeof(original));
    memcpy(directory, copy, sizeof(original) - 1);
    compare_anew();
    memcpy(directory, original, sizeof(original));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(changes_of_lists_alone_are_folded),
        TEST(without_a_table_too),
        TEST(a_change_during_the_fold_is_kept),
        TEST(a_dump_has_the_lists_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
