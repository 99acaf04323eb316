#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/log_format.h"

static char directory[64];
static char line[512];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/chengmen-log-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static struct log_writer *writer_open(void)
{
    struct log_writer *writer;
    enum log_status status = log_writer_open(directory, &writer, line, sizeof(line));
    if (status != LOG_OK)
        fail_msg("%s", line);
    return writer;
}

static struct log_reader *reader_open(void)
{
    struct log_reader *reader;
    assert_int_equal(log_reader_open(directory, &reader, line, sizeof(line)), LOG_OK);
    return reader;
}

/* Record n: its size and bytes follow from n. */
static size_t make_payload(uint64_t n, uint8_t *room)
{
    size_t size = (size_t)(n * 2654435761u % 700);
    for (size_t i = 0; i < size; i++)
        room[i] = (uint8_t)(n * 31 + i * 7);
    return size;
}

static void append(struct log_writer *writer, uint64_t n)
{
    uint8_t room[700];
    size_t size = make_payload(n, room);
    uint64_t sequence;
    assert_int_equal(log_writer_append(writer, LOG_SUBJECT, (struct bytes){room, size}, &sequence), LOG_OK);
    assert_int_equal(sequence, n);
}

static void expect(struct log_reader *reader, uint64_t n)
{
    uint8_t room[700];
    size_t size = make_payload(n, room);
    struct log_record record;
    enum log_status status = log_reader_next(reader, &record);
    if (status != LOG_OK)
        fail_msg("record %llu: status %d %s", (unsigned long long)n, status, log_reader_error(reader));
    assert_int_equal(record.type, LOG_SUBJECT);
    assert_int_equal(record.sequence, n);
    assert_int_equal(record.payload.length, size);
    assert_memory_equal(record.payload.data, room, size);
}

static void expect_status(struct log_reader *reader, enum log_status status)
{
    struct log_record record;
    assert_int_equal(log_reader_next(reader, &record), status);
}

/* Writes records 1 to `count`, each committed alone, and closes. */
static void write_store(uint64_t count)
{
    struct log_writer *writer = writer_open();
    for (uint64_t n = 1; n <= count; n++) {
        append(writer, n);
        assert_int_equal(log_writer_commit(writer), LOG_OK);
    }
    log_writer_close(writer);
}

static int segment_open(uint64_t first)
{
    char name[DISK_NAME_MAX], path[160];
    log_segment_name(first, name);
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return open(path, O_RDWR);
}

/* Offset of record n in the first segment. */
static off_t frame_offset(uint64_t n)
{
    size_t offset = sizeof(struct log_segment_header);
    uint8_t room[700];
    for (uint64_t i = 1; i < n; i++)
        offset += log_frame_size(make_payload(i, room));
    return (off_t)offset;
}

static void flip(int file, off_t offset)
{
    uint8_t byte;
    assert_int_equal(pread(file, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(file, &byte, 1, offset), 1);
}

/* As after a restart of the machine in which the word did not reach the disk. */
static void lose_durable_word(void)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/" LOG_DURABLE_NAME, directory);
    unlink(path);
}

static void what_is_committed_is_read(void **state)
{
    (void)state;
    struct log_writer *writer = writer_open();
    struct log_reader *reader = reader_open();
    expect_status(reader, LOG_END);
    append(writer, 1);
    append(writer, 2);
    expect_status(reader, LOG_END);
    assert_int_equal(log_writer_commit(writer), LOG_OK);
    expect(reader, 1);
    expect(reader, 2);
    expect_status(reader, LOG_END);
    for (uint64_t n = 3; n < 3000; n++) {
        append(writer, n);
        if (n % 7 == 0) {
            assert_int_equal(log_writer_commit(writer), LOG_OK);
            for (uint64_t m = n - (n == 7 ? 4 : 6); m <= n; m++)
                expect(reader, m);
            expect_status(reader, LOG_END);
        }
    }
    log_writer_close(writer);
    log_reader_close(reader);
}

static void a_store_comes_back(void **state)
{
    (void)state;
    write_store(100);
    struct log_writer *writer = writer_open();
    struct log_writer_info info;
    log_writer_info(writer, &info);
    assert_int_equal(info.last, 100);
    assert_int_equal(info.cut_bytes, 0);
    append(writer, 101);
    log_writer_close(writer);
    struct log_reader *reader = reader_open();
    for (uint64_t n = 1; n <= 101; n++)
        expect(reader, n);
    expect_status(reader, LOG_END);
    log_reader_close(reader);
}

static void no_store_is_told(void **state)
{
    (void)state;
    struct log_reader *reader;
    assert_int_equal(log_reader_open(directory, &reader, line, sizeof(line)), LOG_NO_STORE);
    assert_int_equal(log_reader_open("/nowhere/at/all", &reader, line, sizeof(line)), LOG_NO_STORE);
}

static void one_writer_only(void **state)
{
    (void)state;
    struct log_writer *writer = writer_open(), *second;
    assert_int_equal(log_writer_open(directory, &second, line, sizeof(line)), LOG_LOCKED);
    log_writer_close(writer);
    log_writer_close(writer_open());
}

static void segments_rotate_and_drop(void **state)
{
    (void)state;
    struct log_writer *writer = writer_open();
    struct log_reader *reader = reader_open(), *slow = reader_open();
    uint8_t *large = malloc(LOG_PAYLOAD_MAX + 1);
    assert_non_null(large);
    struct log_record record;
    for (uint64_t n = 1; n <= 40; n++) {
        memset(large, (int)n, LOG_PAYLOAD_MAX);
        assert_int_equal(log_writer_append(writer, LOG_STATUS_LIST, (struct bytes){large, LOG_PAYLOAD_MAX}, NULL),
                         LOG_OK);
        assert_int_equal(log_writer_commit(writer), LOG_OK);
        assert_int_equal(log_reader_next(reader, &record), LOG_OK);
        assert_int_equal(record.sequence, n);
        assert_int_equal(record.payload.length, LOG_PAYLOAD_MAX);
        assert_memory_equal(record.payload.data, large, LOG_PAYLOAD_MAX);
        if (n == 1)
            assert_int_equal(log_reader_next(slow, &record), LOG_OK);
    }
    assert_int_equal(log_writer_append(writer, LOG_STATUS_LIST, (struct bytes){large, LOG_PAYLOAD_MAX + 1}, NULL),
                     LOG_TOO_LARGE);
    struct log_writer_info info;
    log_writer_info(writer, &info);
    assert_int_equal(info.segments, 3);
    struct log_table table = {.number = 1, .covers = 40, .state_from = 41, .records = 0};
    assert_int_equal(log_writer_append(writer, LOG_TABLE, (struct bytes){(uint8_t *)&table, sizeof(table)}, NULL),
                     LOG_OK);
    assert_int_equal(log_writer_commit(writer), LOG_OK);
    assert_int_equal(log_writer_drop_before(writer, 41), LOG_OK);
    log_writer_info(writer, &info);
    assert_int_equal(info.segments, 1);
    assert_int_equal(info.first, 31);
    assert_int_equal(log_reader_next(reader, &record), LOG_OK);
    expect_status(reader, LOG_END);
    while (log_reader_next(slow, &record) == LOG_OK)
        ;
    expect_status(slow, LOG_BEHIND);
    log_reader_close(reader);
    log_reader_close(slow);
    log_writer_close(writer);
    free(large);
    reader = reader_open();
    for (uint64_t n = 31; n <= 41; n++) {
        assert_int_equal(log_reader_next(reader, &record), LOG_OK);
        assert_int_equal(record.sequence, n);
    }
    expect_status(reader, LOG_END);
    log_reader_close(reader);
    log_writer_close(writer_open());
}

static void lost_segments_are_damage(void **state)
{
    (void)state;
    segments_rotate_and_drop(state);
    /* The record that anchors the log is the last: without it nothing explains the gap at the front. */
    int file = segment_open(31);
    off_t last = (off_t)(sizeof(struct log_segment_header) + 10 * log_frame_size(LOG_PAYLOAD_MAX));
    assert_int_equal(ftruncate(file, last), 0);
    close(file);
    lose_durable_word();
    struct log_writer *writer;
    assert_int_equal(log_writer_open(directory, &writer, line, sizeof(line)), LOG_DAMAGED);
}

static void a_torn_tail_is_cut(void **state)
{
    (void)state;
    for (unsigned torn = 0; torn < 3; torn++) {
        write_store(20);
        int file = segment_open(1);
        /* Record 21 and 22 of one commit: the crash kept the second but not all of the first. */
        uint8_t room[3000];
        struct log_frame fields = {.sequence = 21, .committed = 20, .type = LOG_SUBJECT};
        struct store_identity identity;
        struct disk *disk;
        assert_int_equal(disk_open(directory, false, &disk), 0);
        assert_int_equal(store_identity_read(disk, &identity), 0);
        disk_close(disk);
        uint8_t payload[500] = {7};
        size_t size = log_frame_write(room, identity.id, 1, &fields, (struct bytes){payload, sizeof(payload)});
        room[torn == 0 ? 3 : torn == 1 ? 30 : 300] ^= 1;
        fields.sequence = 22;
        size += log_frame_write(room + size, identity.id, 1, &fields, (struct bytes){payload, 100});
        assert_int_equal(pwrite(file, room, size, frame_offset(21)), (ssize_t)size);
        close(file);
        if (torn == 2)
            lose_durable_word();
        struct log_reader *reader = reader_open();
        for (uint64_t n = 1; n <= 20; n++)
            expect(reader, n);
        expect_status(reader, LOG_END);
        struct log_writer *writer = writer_open();
        struct log_writer_info info;
        log_writer_info(writer, &info);
        assert_int_equal(info.last, 20);
        assert_int_not_equal(info.cut_bytes, 0);
        append(writer, 21);
        assert_int_equal(log_writer_commit(writer), LOG_OK);
        expect(reader, 21);
        expect_status(reader, LOG_END);
        log_writer_close(writer);
        log_reader_close(reader);
        remove_directory(NULL);
        make_directory(NULL);
    }
}

/* Every byte of every committed frame but the last commit's, with and without the word; the last with the word. */
static void damage_is_named(void **state)
{
    (void)state;
    const uint64_t count = 8;
    write_store(count);
    int file = segment_open(1);
    for (int word = 1; word >= 0; word--) {
        if (!word)
            lose_durable_word();
        off_t end = frame_offset(word ? count + 1 : count);
        for (off_t at = 0; at < end; at += word ? 1 : 13) {
            flip(file, at);
            struct log_writer *writer;
            enum log_status status = log_writer_open(directory, &writer, line, sizeof(line));
            if (status != LOG_DAMAGED)
                fail_msg("byte %ld, word %d: status %d", (long)at, word, status);
            assert_non_null(strstr(line, "segment log-"));
            struct log_reader *reader = reader_open();
            struct log_record record;
            uint64_t n = 0;
            while ((status = log_reader_next(reader, &record)) == LOG_OK)
                assert_int_equal(record.sequence, ++n);
            assert_int_equal(status, LOG_DAMAGED);
            log_reader_close(reader);
            flip(file, at);
        }
    }
    close(file);
    log_writer_close(writer_open());
}

static void an_unfinished_segment_goes(void **state)
{
    (void)state;
    write_store(5);
    char name[DISK_NAME_MAX], path[160];
    log_segment_name(6, name);
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    int file = open(path, O_RDWR | O_CREAT, 0640);
    assert_int_equal(ftruncate(file, 1 << 20), 0);
    close(file);
    struct log_reader *reader = reader_open();
    for (uint64_t n = 1; n <= 5; n++)
        expect(reader, n);
    expect_status(reader, LOG_END);
    log_reader_close(reader);
    struct log_writer *writer = writer_open();
    append(writer, 6);
    log_writer_close(writer);
    assert_int_equal(access(path, F_OK), -1);
    reader = reader_open();
    for (uint64_t n = 1; n <= 6; n++)
        expect(reader, n);
    log_reader_close(reader);
}

static bool read_durable(int pipe_end, uint64_t *durable)
{
    return read(pipe_end, durable, sizeof(*durable)) == sizeof(*durable);
}

/* A writer in another process is killed again and again; a reader follows it and must see every acknowledged record. */
static void a_killed_writer_loses_nothing(void **state)
{
    (void)state;
    log_writer_close(writer_open());
    struct log_reader *reader = reader_open();
    uint64_t read = 0;
    struct log_record record;
    for (unsigned round = 0; round < 20; round++) {
        int acknowledged[2];
        assert_int_equal(pipe(acknowledged), 0);
        pid_t child = fork();
        if (child == 0) {
            struct log_writer *writer;
            if (log_writer_open(directory, &writer, line, sizeof(line)) != LOG_OK)
                _exit(1);
            struct log_writer_info info;
            for (;;) {
                log_writer_info(writer, &info);
                for (uint64_t i = 1; i <= 1 + info.last % 5; i++) {
                    uint8_t room[700];
                    size_t size = make_payload(info.last + i, room);
                    log_writer_append(writer, LOG_SUBJECT, (struct bytes){room, size}, NULL);
                }
                if (log_writer_commit(writer) != LOG_OK)
                    _exit(1);
                log_writer_info(writer, &info);
                if (write(acknowledged[1], &info.durable, sizeof(info.durable)) != sizeof(info.durable))
                    _exit(1);
            }
        }
        close(acknowledged[1]);
        uint64_t durable = 0, wanted = read + 20 + round * 7;
        while (durable < wanted && read_durable(acknowledged[0], &durable)) {
            while (log_reader_next(reader, &record) == LOG_OK)
                assert_int_equal(record.sequence, ++read);
            assert_true(read >= durable);
        }
        kill(child, SIGKILL);
        int how;
        waitpid(child, &how, 0);
        assert_true(WIFSIGNALED(how));
        while (read_durable(acknowledged[0], &durable))
            ;
        close(acknowledged[0]);
        while (log_reader_next(reader, &record) == LOG_OK)
            assert_int_equal(record.sequence, ++read);
        assert_true(read >= durable);
    }
    log_reader_close(reader);
    reader = reader_open();
    for (uint64_t n = 1; n <= read; n++)
        expect(reader, n);
    log_reader_close(reader);
}

static void the_secret_stays(void **state)
{
    (void)state;
    struct store_identity first, second;
    struct disk *disk;
    log_writer_close(writer_open());
    assert_int_equal(disk_open(directory, false, &disk), 0);
    assert_int_equal(store_identity_read(disk, &first), 0);
    log_writer_close(writer_open());
    assert_int_equal(store_identity_read(disk, &second), 0);
    assert_memory_equal(&first, &second, sizeof(first));
    char path[96];
    snprintf(path, sizeof(path), "%s/" STORE_IDENTITY_NAME, directory);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0137, 0);
    int file = open(path, O_RDWR);
    flip(file, 20);
    close(file);
    assert_int_equal(store_identity_read(disk, &second), -EBADMSG);
    struct log_writer *writer;
    assert_int_equal(log_writer_open(directory, &writer, line, sizeof(line)), LOG_DAMAGED);
    disk_close(disk);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_committed_is_read),  TEST(a_store_comes_back),
        TEST(no_store_is_told),           TEST(one_writer_only),
        TEST(segments_rotate_and_drop),   TEST(lost_segments_are_damage),
        TEST(a_torn_tail_is_cut),         TEST(damage_is_named),
        TEST(an_unfinished_segment_goes), TEST(a_killed_writer_loses_nothing),
        TEST(the_secret_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
