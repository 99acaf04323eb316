#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "keys/filter.h"
#include "keys/sorter.h"
#include "keys/table.h"

static char directory[64];
static struct disk *disk;
static const struct store_identity identity = {.id = 77, .hash_key = {1, 2, 3}};

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/chengmen-table-XXXXXX");
    return mkdtemp(directory) && disk_open(directory, false, &disk) == 0 ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    disk_close(disk);
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
    subject_key(identity.hash_key, bytes_of_text("CN-310000"), id, record.key);
    return record;
}

/* Puts subjects 0 to count - 1 in version 1, and those divisible by 10 in versions 3 and 2 too. */
static struct sorter *sorter_fill(uint32_t count, uint64_t memory)
{
    struct sorter *sorter;
    assert_int_equal(sorter_open(disk, count + count / 5, memory, &sorter), 0);
    for (uint32_t i = 0; i < count; i++) {
        for (uint64_t version = i % 10 == 0 ? 3 : 1; version > 0; version--) {
            struct subject_record record = make(i, version);
            assert_int_equal(sorter_put(sorter, &record), 0);
        }
    }
    return sorter;
}

/* Number i of 2^15, whose bits say which words beside the key are not zero. */
static struct subject_record make_fields(uint32_t i)
{
    struct subject_record record = {.key = {(uint8_t)(i * 167), (uint8_t)(i >> 8), (uint8_t)i}};
    uint32_t words[12] = {0};
    for (uint32_t bit = 0; bit < 12; bit++)
        words[bit] = i >> bit & 1 ? 0xf0000001 + (i << bit) : 0;
    memcpy(&record.version, words, sizeof(words));
    return record;
}

static void sorted_is_ascending_and_latest(void **state)
{
    (void)state;
    static const uint64_t memories[] = {1 << 30, 1 << 20, 100000, 1};
    for (size_t m = 0; m < 4; m++) {
        const uint32_t count = 60000;
        struct sorter *sorter = sorter_fill(count, memories[m]);
        const struct subject_record *record;
        uint8_t last[SUBJECT_KEY_SIZE] = {0};
        uint32_t seen = 0;
        while (sorter_next(sorter, &record) == 1) {
            struct subject_record expected = make(record->since_s, record->since_s % 10 == 0 ? 3 : 1);
            assert_memory_equal(record, &expected, sizeof(expected));
            assert_true(memcmp(last, record->key, sizeof(last)) < 0);
            memcpy(last, record->key, sizeof(last));
            seen++;
        }
        assert_int_equal(seen, count);
        sorter_close(sorter);
    }
}

/* Every field zero or not, in all ways; in memory and through the disk. */
static void sorted_records_come_back_whole(void **state)
{
    (void)state;
    static const uint64_t memories[] = {1 << 30, 1};
    for (size_t m = 0; m < 2; m++) {
        const uint32_t count = 1 << 15;
        struct sorter *sorter;
        assert_int_equal(sorter_open(disk, count, memories[m], &sorter), 0);
        struct subject_record record, expected;
        for (uint32_t i = 0; i < count; i++) {
            record = make_fields(i);
            assert_int_equal(sorter_put(sorter, &record), 0);
        }
        const struct subject_record *got;
        uint32_t seen = 0;
        for (; sorter_next(sorter, &got) == 1; seen++) {
            expected = make_fields((uint32_t)(got->key[1] << 8 | got->key[2]));
            assert_memory_equal(got, &expected, sizeof(expected));
        }
        assert_int_equal(seen, count);
        sorter_close(sorter);
    }
}

/* Keys that are no hashes, and many of one: the last of the latest version stays. */
static void the_last_of_one_version_stays(void **state)
{
    (void)state;
    struct sorter *sorter;
    const struct subject_record *got;
    assert_int_equal(sorter_open(disk, 10, 1, &sorter), 0);
    for (uint32_t i = 0; i < 100000; i++) {
        struct subject_record record = {.key = {(uint8_t)(i % 3)}, .version = 7 - i % 2, .since_s = i + 1};
        assert_int_equal(sorter_put(sorter, &record), 0);
    }
    static const uint32_t last[] = {99996, 99994, 99998}; /* of version 7, among those with i % 3 of 0, 1 and 2 */
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(sorter_next(sorter, &got), 1);
        assert_int_equal(got->key[0], i);
        assert_int_equal(got->since_s, last[i] + 1);
    }
    assert_int_equal(sorter_next(sorter, &got), 0);
    sorter_close(sorter);
}

static struct table_shape build(uint64_t number, uint32_t count)
{
    struct sorter *sorter = sorter_fill(count, 1 << 22);
    struct table_build *build;
    struct table_shape shape;
    const struct subject_record *record;
    assert_int_equal(table_build_open(disk, &identity, number, count, &build), 0);
    while (sorter_next(sorter, &record) == 1)
        assert_int_equal(table_build_put(build, record), 0);
    assert_int_equal(table_build_finish(build, 5, &shape), 0);
    table_build_close(build);
    sorter_close(sorter);
    return shape;
}

/* As a worker looks a key up; `pages_read` counts. */
static enum table_find look(int file, const struct table_shape *shape, const uint8_t *key, struct subject_record *out,
                            unsigned *pages_read)
{
    static struct table_page page __attribute__((aligned(DISK_BLOCK_SIZE)));
    uint64_t at = table_home(shape, key);
    for (unsigned i = 0; i < TABLE_CHAIN_MAX; i++, at++) {
        assert_int_equal(disk_read_all(disk, file, &page, sizeof(page), table_page_offset(at)), sizeof(page));
        (*pages_read)++;
        enum table_find found = table_page_find(&page, shape, at, key, out);
        if (found != TABLE_NEXT)
            return found;
    }
    return TABLE_ABSENT;
}

static void every_record_is_found(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 2, 54, 1000, 50000};
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        struct table_shape shape, made = build(c + 1, counts[c]);
        int file;
        assert_int_equal(table_file_open(disk, &identity, c + 1, &file, &shape), 0);
        assert_memory_equal(&shape, &made, sizeof(shape));
        assert_int_equal(shape.records, counts[c]);
        struct filter *filter;
        assert_int_equal(filter_load(disk, &identity, c + 1, &filter), 0);
        assert_int_equal(filter_records(filter), counts[c]);
        unsigned reads = 0, passed = 0;
        for (uint32_t i = 0; i < counts[c]; i++) {
            struct subject_record expected = make(i, i % 10 == 0 ? 3 : 1), found;
            assert_true(filter_contains(filter, expected.key));
            assert_int_equal(look(file, &shape, expected.key, &found, &reads), TABLE_FOUND);
            assert_memory_equal(&found, &expected, sizeof(found));
        }
        assert_true(reads <= counts[c] + counts[c] / 40 + 2);
        for (uint32_t i = counts[c]; i < counts[c] + 10000; i++) {
            struct subject_record absent = make(i, 1), found;
            passed += filter_contains(filter, absent.key);
            if (i % 50 == 0)
                assert_int_equal(look(file, &shape, absent.key, &found, &reads), TABLE_ABSENT);
        }
        assert_true(passed < 70);
        filter_free(filter);
        disk_file_close(disk, file);
    }
}

static void large_filters_take_nine_bits(void **state)
{
    (void)state;
    const uint32_t count = 2500000;
    struct filter_build *build;
    assert_int_equal(filter_build_open(disk, &identity, 1, count, &build), 0);
    uint8_t key[SUBJECT_KEY_SIZE];
    for (uint32_t i = 0; i < count; i++) {
        uint64_t high = __builtin_bswap64((uint64_t)(((unsigned __int128)i << 64) / count)),
                 low = i * 0x9e3779b97f4a7c15u;
        memcpy(key, &high, 8);
        memcpy(key + 8, &low, 8);
        assert_int_equal(filter_build_put(build, key), 0);
    }
    assert_int_equal(filter_build_finish(build), 0);
    filter_build_close(build);
    struct filter *filter;
    assert_int_equal(filter_load(disk, &identity, 1, &filter), 0);
    assert_true((double)filter_memory_bytes(filter) * 8 < 9.2 * count);
    unsigned passed = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        uint64_t high = i * 0x9e3779b97f4a7c15u, low = i * 0xd1342543de82ef95u + 99;
        memcpy(key, &high, 8);
        memcpy(key + 8, &low, 8);
        passed += filter_contains(filter, key);
    }
    assert_in_range(passed, 3600, 4200);
    filter_free(filter);
}

static void flip(const char *name, off_t offset)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    int file = open(path, O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(file, &byte, 1, offset), 1);
    byte ^= 4;
    assert_int_equal(pwrite(file, &byte, 1, offset), 1);
    close(file);
}

/* The file has no name any more, but this process has it open. */
static void flip_spilled(off_t offset)
{
    char link[64], target[256];
    for (int file = 3; file < 256; file++) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
        ssize_t length = readlink(link, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        if (strstr(target, "/spill (deleted)")) {
            char *name = target + strlen(directory) + 1;
            snprintf(name, 64, "../../proc/self/fd/%d", file);
            flip(name, offset);
            return;
        }
    }
    fail_msg("nothing was spilled");
}

/* What the disk gives back otherwise than it was given is no record, nor a length of one. */
static void spilled_damage_is_seen(void **state)
{
    (void)state;
    static const off_t offsets[] = {0, SUBJECT_KEY_SIZE + 1, 2000};
    for (size_t i = 0; i < 3; i++) {
        struct sorter *sorter = sorter_fill(60000, 100000);
        const struct subject_record *record;
        int result;
        flip_spilled(offsets[i]);
        while ((result = sorter_next(sorter, &record)) == 1)
            ;
        assert_int_equal(result, -EIO);
        sorter_close(sorter);
    }
}

/* Every byte of a small table: the lookup of a record tells of the damage or returns the right record. */
static void table_damage_is_seen(void **state)
{
    (void)state;
    struct table_shape shape = build(1, 150), read;
    off_t end = (off_t)((shape.pages + 1) * DISK_BLOCK_SIZE);
    for (off_t at = 0; at < end; at += at < (off_t)sizeof(shape) + 16 ? 1 : 37) {
        flip("table-1", at);
        int file, opened = table_file_open(disk, &identity, 1, &file, &read);
        if (at < (off_t)sizeof(shape) + 16)
            assert_int_equal(opened, -EBADMSG);
        if (opened == 0) {
            unsigned reads = 0, damaged = 0;
            for (uint32_t i = 0; i < 150; i++) {
                struct subject_record expected = make(i, i % 10 == 0 ? 3 : 1), found;
                enum table_find result = look(file, &read, expected.key, &found, &reads);
                if (result == TABLE_FOUND)
                    assert_memory_equal(&found, &expected, sizeof(found));
                else
                    assert_int_equal(result, TABLE_DAMAGED);
                damaged += result == TABLE_DAMAGED;
            }
            assert_true(at < DISK_BLOCK_SIZE || damaged > 0);
            disk_file_close(disk, file);
        }
        flip("table-1", at);
    }
}

static void misplaced_pages_are_seen(void **state)
{
    (void)state;
    build(1, 150);
    build(2, 150);
    char path[160];
    uint8_t page[DISK_BLOCK_SIZE];
    snprintf(path, sizeof(path), "%s/table-1", directory);
    int one = open(path, O_RDWR);
    snprintf(path, sizeof(path), "%s/table-2", directory);
    int two = open(path, O_RDWR);
    for (unsigned stale = 0; stale < 2; stale++) {
        /* Page 1 of table 2 gets page 0 of it, or page 1 of table 1. */
        assert_int_equal(pread(stale ? one : two, page, sizeof(page), (off_t)table_page_offset(stale)), sizeof(page));
        assert_int_equal(pwrite(two, page, sizeof(page), (off_t)table_page_offset(1)), sizeof(page));
        struct table_scan *scan;
        const struct subject_record *record;
        assert_int_equal(table_scan_open(disk, &identity, 2, &scan), 0);
        int result;
        while ((result = table_scan_next(scan, &record)) == 1)
            ;
        assert_int_equal(result, -EBADMSG);
        assert_int_equal(table_scan_page(scan), 1);
        table_scan_close(scan);
    }
    close(one);
    close(two);
}

static void filter_damage_is_seen_and_mended(void **state)
{
    (void)state;
    build(1, 3000);
    struct filter *filter;
    assert_int_equal(filter_load(disk, &identity, 1, &filter), 0);
    uint64_t bytes = filter_memory_bytes(filter);
    filter_free(filter);
    for (off_t at = 0; at < DISK_BLOCK_SIZE + 3000; at += at < 96 ? 1 : 97) {
        if (at >= 96 && at < DISK_BLOCK_SIZE)
            continue; /* between the shards' entries and the fingerprints lies nothing */
        flip("filter-1", at);
        assert_int_equal(filter_load(disk, &identity, 1, &filter), -EBADMSG);
        flip("filter-1", at);
    }
    flip("filter-1", DISK_BLOCK_SIZE + 5);
    assert_int_equal(filter_load(disk, &identity, 1, &filter), -EBADMSG);
    assert_int_equal(filter_rebuild(disk, &identity, 1), 0);
    assert_int_equal(filter_load(disk, &identity, 1, &filter), 0);
    assert_int_equal(filter_memory_bytes(filter), bytes);
    filter_free(filter);
    struct store_identity other = {.id = 78};
    assert_int_equal(filter_load(disk, &other, 1, &filter), -EBADMSG);
}

static void keys_must_ascend_and_be_hashes(void **state)
{
    (void)state;
    struct table_build *build;
    assert_int_equal(table_build_open(disk, &identity, 1, 100000, &build), 0);
    struct subject_record record = {.key = {1}};
    assert_int_equal(table_build_put(build, &record), 0);
    assert_int_equal(table_build_put(build, &record), -EINVAL);
    int result = 0;
    for (uint32_t i = 1; i < 1000 && result == 0; i++) {
        record.key[14] = (uint8_t)(i >> 8);
        record.key[15] = (uint8_t)i;
        result = table_build_put(build, &record);
    }
    assert_int_equal(result, -EOVERFLOW);
    table_build_close(build);
    char path[160];
    snprintf(path, sizeof(path), "%s/table.new", directory);
    assert_int_equal(access(path, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sorted_is_ascending_and_latest), TEST(sorted_records_come_back_whole),
        TEST(the_last_of_one_version_stays),  TEST(every_record_is_found),
        TEST(large_filters_take_nine_bits),   TEST(table_damage_is_seen),
        TEST(misplaced_pages_are_seen),       TEST(filter_damage_is_seen_and_mended),
        TEST(keys_must_ascend_and_be_hashes), TEST(spilled_damage_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
