/* The one writer of the store, as control uses it. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/journal.h"

#define URI "https://s/1"
#define ENTRIES 4096
#define SEGMENT_BYTES (16u << 10)
#define CHANGES 20000

static char directory[64];
static char line[256];
static struct journal journal;

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/chengmen-journal-XXXXXX");
    if (!mkdtemp(directory) || !journal_open(directory, &journal, line, sizeof line))
        return -1;
    log_writer_set_segment_bytes(journal.log, SEGMENT_BYTES);
    return 0;
}

static int end(void **state)
{
    (void)state;
    journal_close(&journal);
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

static void append(enum log_type type, const uint8_t *payload, size_t size)
{
    if (!journal_append(&journal, type, (struct bytes){payload, size}, line, sizeof line))
        fail_msg("%s", line);
}

/* One turn of control's loop. Returns the log's bytes. */
static uint64_t turn(void)
{
    struct log_writer_info info;
    if (!journal_commit(&journal, line, sizeof line))
        fail_msg("%s", line);
    while (journal_folding(&journal)) {
        journal_fold_step(&journal, line, sizeof line);
        assert_string_equal(line, "");
    }
    log_writer_info(journal.log, &info);
    return info.bytes;
}

static void put_list(void)
{
    static uint8_t bits[ENTRIES / 4], room[sizeof bits + 512];
    struct status_list list = {.uri = URI, .issuer = "i", .iat_s = 1, .exp_s = 9, .entries = ENTRIES, .bits = bits};
    append(LOG_STATUS_LIST, room, status_list_encode(&list, room, sizeof room));
}

static void put_change(uint32_t index, enum status_value value)
{
    uint8_t entry[STATUS_CHANGE_ENTRY_SIZE], room[STATUS_CHANGE_ENCODED_MAX(1)];
    struct status_change change = {.uri = URI, .iat_s = 2, .exp_s = 9, .count = 1, .entries = entry};
    status_change_put(entry, 0, index, value);
    append(LOG_LIST_CHANGE, room, status_change_encode(&change, room, sizeof room));
}

static void put_point(uint32_t id)
{
    uint8_t room[POINT_ENCODED_MAX];
    struct point point = {.id = id, .venue = "v", .venue_class = "mall"};
    append(LOG_POINT, room, point_encode(&point, room, sizeof room));
}

/* Nothing but changes of one list, or of one point: what is in force stays small, and so does the log. */
static void the_log_stays_short(void **state)
{
    (void)state;
    put_list();
    uint64_t bytes_max = 0;
    for (uint32_t i = 0; i < CHANGES; i++) {
        put_change(i % ENTRIES, (enum status_value)(i / ENTRIES % 4));
        if (i % 2 == 0)
            put_point(7);
        uint64_t bytes = i % 20 == 0 ? turn() : 0;
        bytes_max = bytes > bytes_max ? bytes : bytes_max;
    }
    assert_in_range(bytes_max, 10 * SEGMENT_BYTES, 20 * SEGMENT_BYTES);
    assert_true(journal.fold_after > 0);
    turn();
    uint64_t sequence = journal.state.sequence;
    journal_close(&journal);
    assert_true(journal_open(directory, &journal, line, sizeof line));
    assert_int_equal(journal.state.sequence, sequence);
    const struct state_list *list = state_list(&journal.state, URI);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        uint32_t last = (CHANGES - 1 - i) / ENTRIES; /* the round that set it last */
        assert_int_equal(status_list_get(&list->list, i), last % 4);
    }
    assert_int_equal(journal.state.point_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(the_log_stays_short, begin, end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
