#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/config_json.h"
#include "tests/unit/refusals.h"

static struct operator_config config;

static bool read_config(const struct json_place *document, struct json_problems *problems)
{
    return operator_config_read(document, &config, problems);
}

#define PORTS "\"ports\":[\"net_tap0\"],\"addresses\":[{\"address\":\"10.0.0.1/8\"}]"

static void strict_in_every_member(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"{}", "", NULL},
        {"{\"dataplane\":{" PORTS "}}", "", NULL},
        {"[]", "", "object"},
        {"{\"stor\":\"/x\"}", "/stor", "unknown"},
        {"{\"store\":\"\"}", "/store", "empty"},
        {"{\"store\":7}", "/store", "text"},
        {"{\"control\":{\"http\":\"localhost:80\"}}", "/control/http", "address and port"},
        {"{\"control\":{\"http\":\"127.0.0.1:65536\"}}", "/control/http", "address and port"},
        {"{\"control\":{\"http\":\"::1:80\"}}", "/control/http", "address and port"},
        {"{\"control\":{\"http\":\"[::1]:80\"}}", "", NULL},
        {"{\"control\":{\"http\":null}}", "", NULL},
        {"{\"control\":{\"sockets\":\"x\"}}", "/control/sockets", "unknown"},
        {"{\"control\":[]}", "/control", "object"},
        {"{\"dataplane\":{}}", "/dataplane/ports", "missing"},
        {"{\"dataplane\":{" PORTS ",\"worker\":[1]}}", "/dataplane/worker", "unknown"},
        {"{\"dataplane\":{" PORTS ",\"workers\":[1,1]}}", "/dataplane/workers/1", "twice"},
        {"{\"dataplane\":{" PORTS ",\"workers\":[]}}", "/dataplane/workers", "at least one"},
        {"{\"dataplane\":{" PORTS ",\"workers\":[1.5]}}", "/dataplane/workers/0", "whole"},
        {"{\"dataplane\":{" PORTS ",\"workers\":[-1]}}", "/dataplane/workers/0", "0 to 1023"},
        {"{\"dataplane\":{" PORTS ",\"coap_port\":0}}", "/dataplane/coap_port", "1 to 65535"},
        {"{\"dataplane\":{" PORTS ",\"coap_port\":1e300}}", "/dataplane/coap_port", ""},
        {"{\"dataplane\":{" PORTS ",\"answers_per_worker\":1025}}", "/dataplane/answers_per_worker", "powers of two"},
        {"{\"dataplane\":{" PORTS ",\"idle\":\"nap\"}}", "/dataplane/idle", "sleep"},
        {"{\"dataplane\":{" PORTS ",\"engine\":\"gpu\"}}", "/dataplane/engine", "avx512"},
        {"{\"dataplane\":{" PORTS ",\"trusted\":[\"10.0.0.1/8\"]}}", "/dataplane/trusted/0", "behind the prefix"},
        {"{\"dataplane\":{" PORTS ",\"trusted\":[\"10.0.0.0/33\"]}}", "/dataplane/trusted/0", "prefix length"},
        {"{\"dataplane\":{" PORTS ",\"trusted\":[\"10.0.0.0/08\"]}}", "/dataplane/trusted/0", "prefix length"},
        {"{\"dataplane\":{\"ports\":[\"\"],\"addresses\":[]}}", "/dataplane/ports/0", "empty"},
        {"{\"dataplane\":{\"ports\":[\"a\",\"b\",\"c\",\"d\",\"e\"],\"addresses\":[]}}", "/dataplane/ports/4",
         "more than"},
        {"{\"dataplane\":{\"ports\":[\"a\"],\"addresses\":[{\"address\":\"10.0.0.1/8\",\"vlan\":4095}]}}",
         "/dataplane/addresses/0/vlan", "0 to 4094"},
        {"{\"dataplane\":{\"ports\":[\"a\"],\"addresses\":[{\"address\":\"10.0.0.1/8\",\"port\":1}]}}",
         "/dataplane/addresses/0", "no port"},
        {"{\"dataplane\":{\"ports\":[\"a\"],\"addresses\":[{\"address\":\"10.0.0.1\"}]}}",
         "/dataplane/addresses/0/address", "prefix length"},
        {"{\"dataplane\":{\"ports\":[\"a\"],\"addresses\":[{\"address\":\"10.0.0.1/8\"},{\"address\":\"10.0.0.1/"
         "24\"}]}}",
         "/dataplane/addresses/1/address", "/dataplane/addresses/0"},
        {"{\"dataplane\":{\"ports\":[\"a\"],\"addresses\":[{\"address\":\"10.0.0.1/8\"},{\"address\":\"10.0.0.1/8\","
         "\"vlan\":3}]}}",
         "", NULL},
        {"{\"dataplane\":{\"ports\":[\"a\"],\"addresses\":[{\"adress\":\"10.0.0.1/8\"}]}}",
         "/dataplane/addresses/0/adress", "unknown"},
    };
    ASSERT_REFUSALS(cases, read_config);
}

static void read_text(const char *text)
{
    struct json_problems problems = {0};
    cJSON *tree = json_parse(bytes_of_text(text), &problems);
    struct json_place root = json_root(tree);
    assert_true(operator_config_read(&root, &config, &problems));
    cJSON_Delete(tree);
    json_problems_free(&problems);
}

static void members_arrive_where_they_belong(void **state)
{
    (void)state;
    read_text(
        "{\"store\":\"/s\",\"control\":{\"socket\":\"/c\",\"user\":\"u\"},\"dataplane\":{" PORTS
        ",\"idle\":\"spin\",\"engine\":\"sodium\",\"skew_s\":9,\"trusted\":[\"2001:db8::/32\"],\"workers\":[2,3]}}");
    assert_string_equal(config.store, "/s");
    assert_string_equal(config.dataplane.store, "/s");
    assert_string_equal(config.control.socket, "/c");
    assert_string_equal(config.control.user, "u");
    assert_string_equal(config.control.http, "127.0.0.1:9464");
    assert_true(config.has_dataplane);
    assert_int_equal(config.dataplane.idle, CONFIG_IDLE_SPIN);
    assert_int_equal(config.dataplane.skew_s, 9);
    assert_int_equal(config.dataplane.coap_port, 5683);
    assert_int_equal(config.dataplane.trusted[0].family, 6);
    assert_int_equal(config.dataplane.trusted[0].length, 32);
    assert_int_equal(config.dataplane.workers[1], 3);
}

/* What another machine may have is no mistake here. */
static void what_this_machine_has_not_is_a_warning(void **state)
{
    (void)state;
    struct json_problems problems = {0};
    read_text("{\"control\":{\"user\":\"no-such-user\"},\"dataplane\":{" PORTS
              ",\"user\":\"root\",\"main_core\":0,\"workers\":[0,1023]}}");
    operator_config_warn(&config, &problems);
    assert_int_equal(problems.refused, 0);
    assert_int_equal(problems.warnings, 2);
    assert_string_equal(problems.items[0].pointer, "/control/user");
    assert_string_equal(problems.items[1].pointer, "/dataplane/workers/1");
    json_problems_free(&problems);
}

static void telemetry_is_where_eal_puts_it(void **state)
{
    (void)state;
    read_text("{\"dataplane\":{" PORTS ",\"eal\":[\"--no-huge\",\"--file-prefix=gate\"]}}");
    assert_string_equal(config.control.telemetry, "/var/run/dpdk/gate/dpdk_telemetry.v2");
    read_text("{\"dataplane\":{" PORTS ",\"eal\":[\"--file-prefix\",\"two\"]}}");
    assert_string_equal(config.control.telemetry, "/var/run/dpdk/two/dpdk_telemetry.v2");
    read_text("{\"control\":{\"telemetry\":\"/t\"}}");
    assert_string_equal(config.control.telemetry, "/t");
}

/* The table that README and `chengmen config members` print says the defaults that an empty file gets. */
static void the_table_of_members_tells_the_true_defaults(void **state)
{
    (void)state;
    unsigned numbers = 0, rows = 0;
#define NUMBER(name, value, least, most, form, meaning) rows++;
#include "dataplane/config.def"
#undef NUMBER
    read_text("{}");
    for (unsigned i = 0; i < config_member_count; i++) {
        const struct config_member *member = &config_members[i];
        char quoted[160];
        if (strcmp(member->pointer, "/control/socket") == 0) {
            snprintf(quoted, sizeof quoted, "\"%s\"", config.control.socket);
            assert_string_equal(member->initial, quoted);
        }
        if (strcmp(member->pointer, "/control/telemetry") == 0) {
            snprintf(quoted, sizeof quoted, "\"%s\"", config.control.telemetry);
            assert_string_equal(member->initial, quoted);
        }
#define NUMBER(name, value, least, most, form, meaning)                                                                \
    if (strcmp(member->pointer, "/dataplane/" #name) == 0) {                                                           \
        assert_int_equal(strtoull(member->initial, NULL, 10), config.dataplane.name);                                  \
        numbers++;                                                                                                     \
    }
#include "dataplane/config.def"
#undef NUMBER
    }
    assert_int_equal(numbers, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_in_every_member),
        cmocka_unit_test(members_arrive_where_they_belong),
        cmocka_unit_test(what_this_machine_has_not_is_a_warning),
        cmocka_unit_test(telemetry_is_where_eal_puts_it),
        cmocka_unit_test(the_table_of_members_tells_the_true_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
