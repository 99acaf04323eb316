#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/fold.h"
#include "keys/store_identity.h"
#include "keys/store_tools.h"

static char directory[64], other[64], line[512], first_finding[512];
static uint8_t hash_key[SUBJECT_HASH_KEY_SIZE];

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/chengmen-tools-XXXXXX");
    snprintf(other, sizeof(other), "/tmp/chengmen-other-XXXXXX");
    return mkdtemp(directory) && mkdtemp(other) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    char command[160];
    snprintf(command, sizeof(command), "rm -rf %s %s", directory, other);
    return system(command);
}

static struct log_writer *writer_open(void)
{
    struct log_writer *writer;
    if (log_writer_open(directory, &writer, line, sizeof(line)) != LOG_OK)
        fail_msg("%s", line);
    assert_int_equal(store_hash_key(directory, hash_key), 0);
    return writer;
}

static void change(struct log_writer *writer, uint32_t from, uint32_t to, uint64_t version)
{
    for (uint32_t i = from; i < to; i++) {
        uint8_t id[SUBJECT_SIZE] = {0};
        memcpy(id, &i, sizeof(i));
        struct subject_record record = {.version = version, .since_s = i};
        subject_key(hash_key, bytes_of_text("CN-310000"), id, record.key);
        assert_int_equal(
            log_writer_append(writer, LOG_SUBJECT, (struct bytes){(uint8_t *)&record, sizeof(record)}, NULL), LOG_OK);
    }
}

static void remember(void *context, const char *finding)
{
    (void)context;
    if (first_finding[0] == 0)
        snprintf(first_finding, sizeof(first_finding), "%s", finding);
}

static uint64_t findings(const char *where)
{
    struct store_report report;
    first_finding[0] = 0;
    if (!store_tools_verify(where, &report, remember, NULL, line, sizeof(line)))
        fail_msg("%s", line);
    return report.findings;
}

/* A table of 0 to 1999 and, over it, changes of 1000 to 2999; rules twice. */
static void make_store(void)
{
    struct log_writer *writer = writer_open();
    uint8_t rules[2] = {1, 2};
    assert_int_equal(log_writer_append(writer, LOG_RULES_TEXT, bytes_of_text("{}"), NULL), LOG_OK);
    assert_int_equal(log_writer_append(writer, LOG_RULES, (struct bytes){rules, 1}, NULL), LOG_OK);
    change(writer, 0, 2000, 1);
    assert_int_equal(log_writer_append(writer, LOG_RULES, (struct bytes){rules, 2}, NULL), LOG_OK);
    log_writer_close(writer);
    struct store_report report;
    if (!store_tools_compact(directory, &report, line, sizeof(line)))
        fail_msg("%s", line);
    assert_int_equal(report.table_records, 2000);
    writer = writer_open();
    change(writer, 1000, 3000, 2);
    log_writer_close(writer);
}

static size_t dump(const char *from, uint8_t *room, size_t size)
{
    uint64_t subjects;
    FILE *file = tmpfile();
    if (!store_tools_dump(from, file, &subjects, line, sizeof(line)))
        fail_msg("%s", line);
    assert_int_equal(subjects, 3000);
    rewind(file);
    size_t length = fread(room, 1, size, file);
    fclose(file);
    return length;
}

static bool restore(const uint8_t *room, size_t length)
{
    uint64_t subjects;
    FILE *file = tmpfile();
    assert_int_equal(fwrite(room, 1, length, file), length);
    rewind(file);
    bool done = store_tools_restore(other, file, &subjects, line, sizeof(line));
    fclose(file);
    return done;
}

static uint8_t one[400000], two[400000];

static void a_dump_comes_back_the_same(void **state)
{
    (void)state;
    make_store();
    size_t length = dump(directory, one, sizeof(one));
    assert_true(length > 3000 * 64);
    if (!restore(one, length))
        fail_msg("%s", line);
    assert_int_equal(dump(other, two, sizeof(two)), length);
    assert_memory_equal(one, two, length);
    assert_int_equal(findings(other), 0);
    uint8_t secret[SUBJECT_HASH_KEY_SIZE];
    assert_int_equal(store_hash_key(other, secret), 0);
    assert_memory_equal(secret, hash_key, sizeof(secret));
    assert_false(restore(one, length)); /* there is a store already */
}

static void touch(const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(file >= 0);
    close(file);
}

static size_t names_in(const char *where)
{
    size_t count = 0;
    DIR *names = opendir(where);
    assert_non_null(names);
    for (const struct dirent *name; (name = readdir(names));)
        count += name->d_name[0] != '.';
    closedir(names);
    return count;
}

static void a_damaged_dump_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    char own[160];
    make_store();
    size_t length = dump(directory, one, sizeof(one));
    snprintf(own, sizeof(own), "%s/own", other);
    touch(own); /* which is nobody's to take away */
    for (size_t at = 0; at < length; at += length / 12) {
        one[at] ^= 1;
        assert_false(restore(one, length));
        assert_int_equal(names_in(other), 1);
        one[at] ^= 1;
        assert_false(restore(one, at));
        assert_int_equal(names_in(other), 1);
    }
    assert_false(restore(one, length - 1));
    assert_int_equal(unlink(own), 0);
    assert_int_equal(rmdir(other), 0);
    assert_false(restore(one, length - 1));
    assert_int_equal(access(other, F_OK), -1); /* it was missing before */
    if (!restore(one, length))
        fail_msg("%s", line);
    assert_false(restore(one, length / 2)); /* and harms no store that is there */
    assert_int_equal(findings(other), 0);
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

static void damage_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        off_t offset;
        const char *finding;
    } rows[] = {
        {"identity", 20, "identity"},
        {"log-00000000000000000001", 3, "offset 0"},
        {"log-00000000000000000001", 500, "offset"},
        {"table-1", 9, "table-1: header"},
        {"table-1", 3 * 4096 + 5, "table-1: page 2"},
        {"filter-1", 30, "filter-1: damaged"},
        {"filter-1", 4500, "filter-1: damaged"},
    };
    make_store();
    assert_int_equal(findings(directory), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        damage(rows[i].file, rows[i].offset);
        assert_int_not_equal(findings(directory), 0);
        if (!strstr(first_finding, rows[i].finding))
            fail_msg("%s at %ld: %s", rows[i].file, (long)rows[i].offset, first_finding);
        damage(rows[i].file, rows[i].offset);
    }
    assert_int_equal(findings(directory), 0);
}

static void compacting_folds_and_mends(void **state)
{
    (void)state;
    struct store_report report;
    make_store();
    damage("filter-1", 4500);
    assert_true(store_tools_compact(directory, &report, line, sizeof(line)));
    assert_int_equal(report.table_number, 2);
    assert_int_equal(report.table_records, 3000);
    assert_int_equal(findings(directory), 0);
    damage("filter-2", 4500);
    assert_int_equal(findings(directory), 1);
    assert_true(store_tools_compact(directory, &report, line, sizeof(line)));
    assert_int_equal(report.table_number, 2);
    assert_int_equal(findings(directory), 0);
    struct log_writer *writer = writer_open();
    assert_false(store_tools_compact(directory, &report, line, sizeof(line)));
    assert_non_null(strstr(line, "another writer"));
    log_writer_close(writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_dump_comes_back_the_same),
        TEST(a_damaged_dump_is_refused_and_leaves_nothing),
        TEST(damage_is_found),
        TEST(compacting_folds_and_mends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
