/* Secrets at rest. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/seal.h"

static char folder[] = "/tmp/chengmen-seal-XXXXXX";
static char path[64];

static int begin(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/seal.key", folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static struct seal_key *must_open(void)
{
    char error[128];
    struct seal_key *key = seal_key_open(path, SEAL_MAY_CREATE, error, sizeof error);
    if (!key)
        fail_msg("%s", error);
    return key;
}

static void a_point_comes_back_and_its_secret_does_not_show(void **state)
{
    (void)state;
    struct point point = {.id = 7,
                          .venue = "gate",
                          .venue_class = "subway",
                          .oscore = {.alg = POINT_OSCORE_AES_CCM,
                                     .master_secret = "0123456789abcde",
                                     .master_secret_size = 16,
                                     .point_id_size = 4,
                                     .appliance_id_size = 0}};
    struct point sealed = point, again = point;
    unlink(path);
    struct seal_key *key = must_open(), *same = must_open();
    assert_true(point_seal(&sealed, key) && point_seal(&again, key));
    assert_true(point_is_sealed(&sealed));
    assert_false(point_seal(&sealed, key));
    assert_null(memmem(&sealed, sizeof sealed, "0123456789", 10));
    assert_memory_not_equal(&sealed, &again, sizeof sealed); /* a nonce of its own */
    struct point read = sealed;
    assert_true(point_unseal(&read, same));
    assert_memory_equal(&read, &point, sizeof read);
    assert_false(point_unseal(&read, same));
    for (size_t i = 0; i < sealed.oscore.master_secret_size; i++) {
        read = sealed;
        read.oscore.master_secret[i] ^= 1;
        assert_false(point_unseal(&read, key));
    }
    seal_key_close(key);
    seal_key_close(same);
    unlink(path);
    key = must_open();
    assert_false(point_unseal(&sealed, key));
    seal_key_close(key);
}

static void a_point_without_a_secret_needs_no_key(void **state)
{
    (void)state;
    struct point point = {.id = 8, .venue = "gate", .venue_class = "mall"};
    assert_true(point_seal(&point, NULL) && point_unseal(&point, NULL));
    assert_false(point_is_sealed(&point));
}

static void only_a_key_that_is_kept_is_taken(void **state)
{
    (void)state;
    char error[128];
    struct stat about;
    unlink(path);
    assert_null(seal_key_open(path, SEAL_MUST_EXIST, error, sizeof error));
    seal_key_close(must_open());
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07737, 0600); /* its group may read it */
    assert_int_equal(chmod(path, 0604), 0);
    assert_null(seal_key_open(path, SEAL_MAY_CREATE, error, sizeof error));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 31), 0);
    assert_null(seal_key_open(path, SEAL_MAY_CREATE, error, sizeof error));
    unlink(path);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_null(seal_key_open(path, SEAL_MAY_CREATE, error, sizeof error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_comes_back_and_its_secret_does_not_show),
        cmocka_unit_test(a_point_without_a_secret_needs_no_key),
        cmocka_unit_test(only_a_key_that_is_kept_is_taken),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
