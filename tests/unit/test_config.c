#include "tests/unit/unit.h"

#include <stdio.h>

#include "dataplane/config.h"

static struct config good_config(void)
{
    struct config config;
    config_defaults(&config);
    strcpy(config.ports[0], "net_tap0,iface=chengmen0");
    strcpy(config.ports[1], "net_null0");
    config.port_count = 2;
    config.addresses[0] = (struct config_address){{4, 24, {10, 77, 0, 1}}, 0, 0};
    config.addresses[1] = (struct config_address){{6, 64, {0xfd, 0x77, [15] = 1}}, 7, 1};
    config.address_count = 2;
    config.trusted[0] = (struct config_prefix){4, 24, {10, 77, 0}};
    config.trusted_count = 1;
    config.workers[1] = 3;
    config.worker_count = 2;
    return config;
}

static void what_is_encoded_is_read_back(void **state)
{
    (void)state;
    static uint8_t room[CONFIG_ENCODED_MAX];
    struct config in = good_config(), out;
    char error[160] = "";
    size_t size = config_encode(&in, room, sizeof room);
    assert_int_not_equal(size, 0);
    assert_true(config_decode((struct bytes){room, size}, &out, error, sizeof error));
    assert_memory_equal(&in, &out, sizeof in);
    assert_int_equal(config_encode(&in, room, size - 1), 0);
}

static void the_largest_configuration_fits(void **state)
{
    (void)state;
    static uint8_t room[CONFIG_ENCODED_MAX];
    struct config config = good_config();
    memset(config.store, 's', sizeof config.store - 1);
    for (config.eal_arg_count = 0; config.eal_arg_count < CONFIG_EAL_ARGS_MAX; config.eal_arg_count++)
        memset(config.eal_args[config.eal_arg_count], 'e', CONFIG_EAL_ARG_MAX - 1);
    for (config.port_count = 0; config.port_count < CONFIG_PORTS_MAX; config.port_count++)
        memset(config.ports[config.port_count], 'p', CONFIG_EAL_ARG_MAX - 1);
    for (config.address_count = 0; config.address_count < CONFIG_ADDRESSES_MAX; config.address_count++)
        config.addresses[config.address_count] = (struct config_address){{6, 128, {0xfd}}, 4094, 3};
    for (config.trusted_count = 0; config.trusted_count < CONFIG_TRUSTED_MAX; config.trusted_count++)
        config.trusted[config.trusted_count] = (struct config_prefix){6, 64, {0xfd}};
    for (config.worker_count = 0; config.worker_count < CONFIG_WORKERS_MAX; config.worker_count++)
        config.workers[config.worker_count] = 900 + config.worker_count;
    assert_int_not_equal(config_encode(&config, room, sizeof room), 0);
}

static void every_cut_and_every_extra_byte_is_refused(void **state)
{
    (void)state;
    static uint8_t room[CONFIG_ENCODED_MAX];
    struct config in = good_config(), out;
    char error[160];
    size_t size = config_encode(&in, room, sizeof room);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(config_decode((struct bytes){room, cut}, &out, error, sizeof error));
    room[size] = 0;
    assert_false(config_decode((struct bytes){room, size + 1}, &out, error, sizeof error));
}

/* A changed bit either is refused or gives a configuration that passes the check. */
static void no_changed_bit_gets_past_the_check(void **state)
{
    (void)state;
    static uint8_t room[CONFIG_ENCODED_MAX];
    struct config in = good_config(), out;
    char error[160];
    size_t size = config_encode(&in, room, sizeof room), taken = 0;
    for (size_t bit = 0; bit < size * 8; bit++) {
        room[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (config_decode((struct bytes){room, size}, &out, error, sizeof error)) {
            assert_true(config_check(&out, error, sizeof error));
            taken++;
        }
        room[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_in_range(taken, 1, size * 8 - 1);
}

static void a_configuration_of_another_form_is_named(void **state)
{
    (void)state;
    struct config out;
    char error[160] = "";
    assert_false(config_decode(bytes_of_text("{}"), &out, error, sizeof error));
    assert_non_null(strstr(error, "chengmen config compile"));
}

#define REFUSED(change, member)                                                                                        \
    do {                                                                                                               \
        struct config config = good_config();                                                                          \
        char error[160] = "";                                                                                          \
        change;                                                                                                        \
        assert_false(config_check(&config, error, sizeof error));                                                      \
        assert_ptr_equal(strstr(error, member ": "), error);                                                           \
    } while (0)

static void each_member_out_of_bounds_is_named(void **state)
{
    (void)state;
    REFUSED(config.store[0] = '\0', "store");
    REFUSED(config.port_count = 0, "ports");
    REFUSED(config.address_count = 0, "addresses");
    REFUSED(config.addresses[0].port = 2, "addresses/0");
    REFUSED(config.addresses[0].vlan = 4095, "addresses/0");
    REFUSED(config.addresses[0].prefix.length = 33, "addresses/0");
    REFUSED(config.addresses[0].prefix.family = 5, "addresses/0");
    REFUSED(config.trusted[0].address[3] = 1, "trusted/0");
    REFUSED(config.worker_count = 0, "workers");
    REFUSED(config.workers[1] = config.workers[0], "workers/1");
    REFUSED(config.workers[1] = 1024, "workers/1");
    REFUSED(config.idle = (enum config_idle)2, "idle");
    REFUSED(config.engine = 5, "engine");
    REFUSED(config.coap_port = 0, "coap_port");
    REFUSED(config.answers_per_worker = 65537, "answers_per_worker");
    REFUSED(config.replay_entries = 1000, "replay_entries");
    REFUSED(config.skew_s = 301, "skew_s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_read_back),
        cmocka_unit_test(the_largest_configuration_fits),
        cmocka_unit_test(every_cut_and_every_extra_byte_is_refused),
        cmocka_unit_test(no_changed_bit_gets_past_the_check),
        cmocka_unit_test(a_configuration_of_another_form_is_named),
        cmocka_unit_test(each_member_out_of_bounds_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
