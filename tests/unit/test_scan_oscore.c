/* The client library under OSCORE against an appliance made of the dataplane's own stages, which lies as it is told. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/scan/chengmen_scan.h"
#include "control/scan/context_file.h"
#include "dataplane/oscore.h"
#include "tests/reference/appliance.h"

#define CONTEXT(alg, more)                                                                                             \
    "{\"point\": 7, \"alg\": " #alg ", \"master_secret\": \"0102030405060708090a0b0c0d0e0f10\", "                      \
    "\"master_salt\": \"9e7ca92223786340\", \"sender_id\": \"00000007\", \"recipient_id\": \"aa\"" more "}"

static char folder[] = "/tmp/chengmen-scan-XXXXXX";
static char path[64];
static struct oscore *oscore;
static struct oscore_worker *worker;

static void write_context(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void forget_numbers(void)
{
    char sequence[80];
    snprintf(sequence, sizeof sequence, "%s.sequence", path);
    unlink(sequence);
}

static int begin(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/context.json", folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    forget_numbers();
    unlink(path);
    return rmdir(folder);
}

/* The appliance knows the point by the file's own text. */
static void provision(const char *text)
{
    struct context_file file;
    char error[128];
    write_context(text);
    assert_true(context_file_open(path, &file, error, sizeof error));
    struct point point = {.id = file.point, .oscore = file.oscore};
    oscore = oscore_create(4, 1);
    worker = oscore_worker_create(oscore, NULL);
    assert_int_equal(oscore_put(oscore, &point), OSCORE_ADDED);
    context_file_close(&file);
}

static void retire(void)
{
    oscore_worker_destroy(worker);
    oscore_destroy(oscore);
}

/* Unprotects the datagram, challenges where it must, else protects the verdict into `wire`. Returns the answer's size,
 * 0 where nothing is to be said. */
static size_t serve(struct appliance *a, uint8_t *wire, size_t wire_size)
{
    struct oscore_request r = {.outer = &a->request}, *requests[] = {&r};
    uint8_t plain[128], payload[64];
    oscore_unprotect_burst(worker, requests, 1);
    if (!r.is_protected)
        return 0;
    struct coap_writer inner = coap_write_options(plain + 1, 96);
    if (r.reason == REASON_OSCORE_ECHO) {
        plain[0] = COAP_UNAUTHORIZED;
        coap_put_option(&inner, COAP_OPTION_ECHO, (struct bytes){r.echo, OSCORE_ECHO_SIZE});
    } else {
        plain[0] = COAP_CONTENT;
        appliance_read_id(a, r.inner.payload);
        coap_put_option_uint(&inner, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
        coap_put_payload(&inner, (struct bytes){payload, appliance_verdict(a->id, payload)});
    }
    r.response = plain;
    r.response_size = (uint16_t)(1 + coap_written(&inner));
    oscore_protect_burst(worker, requests, 1);
    struct coap_writer out = coap_write(wire, wire_size, COAP_ACK, COAP_CHANGED, a->request.id, appliance_token(a));
    coap_put_option(&out, COAP_OPTION_OSCORE, (struct bytes){r.option, r.option_size});
    coap_put_payload(&out, (struct bytes){plain, r.response_size});
    return coap_written(&out);
}

static bool serve_two(struct appliance *a)
{
    uint8_t wire[256];
    appliance_send_raw(a, wire, serve(a, wire, sizeof wire));
    return a->received < 2;
}

static struct chengmen_scan_answer ask(struct appliance *a, uint32_t deadline_ms)
{
    char error[200];
    struct chengmen_scan_options options = {.appliance = a->address, .context_file = path, .deadline_ms = deadline_ms};
    struct chengmen_scan *scan = chengmen_scan_open(&options, error, sizeof error);
    if (!scan)
        fail_msg("%s", error);
    uint32_t point;
    assert_true(chengmen_scan_point(scan, &point));
    assert_int_equal(point, 7);
    struct chengmen_scan_request request = {.code = "SC1:", .code_size = 4};
    struct chengmen_scan_answer result;
    chengmen_scan_ask(scan, &request, &result);
    chengmen_scan_close(scan);
    appliance_stop(a);
    return result;
}

static void a_verdict_comes_protected(void **state)
{
    (void)state;
    static const char *const contexts[] = {CONTEXT(10, ""), CONTEXT(24, ""), CONTEXT(10, ", \"id_context\": \"37cb\"")};
    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++) {
        struct appliance a;
        provision(contexts[i]);
        appliance_start(&a, AF_INET, serve_two);
        struct chengmen_scan_answer result = ask(&a, 5000);
        assert_int_equal(result.result, CHENGMEN_SCAN_VERDICT);
        assert_true(chengmen_scan_opens(&result));
        assert_true(result.is_protected);
        assert_int_equal(result.transmissions, 2); /* the challenge of a fresh start was met */
        retire();
    }
}

static bool lie(struct appliance *a)
{
    static uint8_t earlier[256];
    static size_t earlier_size;
    uint8_t wire[256];
    if (a->received == 1) {
        appliance_send_raw(a, wire, serve(a, wire, sizeof wire));
        return true;
    }
    if (a->received == 2) {
        /* A true verdict for this very request, yet in the open. */
        appliance_read_id(a, (struct bytes){NULL, 0});
        appliance_send_verdict(a, COAP_ACK, a->request.id, appliance_token(a), a->id);
        earlier_size = serve(a, earlier, sizeof earlier);
        memcpy(wire, earlier, earlier_size);
        wire[earlier_size - 1] ^= 1;
        appliance_send_raw(a, wire, earlier_size);
        return false;
    }
    return false;
}

static void what_is_not_protected_or_was_touched_never_opens(void **state)
{
    (void)state;
    struct appliance a;
    provision(CONTEXT(10, ""));
    appliance_start(&a, AF_INET, lie);
    struct chengmen_scan_answer result = ask(&a, 600);
    assert_int_equal(result.result, CHENGMEN_SCAN_TIMEOUT);
    assert_false(chengmen_scan_opens(&result));
    retire();
}

/* Answers the second request with the first one's protected verdict under the second one's token and message id. */
static uint8_t recorded[256];
static size_t recorded_size;

static bool record(struct appliance *a)
{
    recorded_size = serve(a, recorded, sizeof recorded);
    appliance_send_raw(a, recorded, recorded_size);
    return a->received < 2;
}

static bool replay(struct appliance *a)
{
    struct coap_message old;
    uint8_t wire[256];
    assert_int_equal(coap_parse((struct bytes){recorded, recorded_size}, &old), COAP_OK);
    struct coap_writer out = coap_write(wire, sizeof wire, COAP_ACK, COAP_CHANGED, a->request.id, appliance_token(a));
    coap_put_option(&out, COAP_OPTION_OSCORE, coap_find(&old, COAP_OPTION_OSCORE)->value);
    coap_put_payload(&out, old.payload);
    appliance_send_raw(a, wire, coap_written(&out));
    return false;
}

static void a_replayed_answer_never_opens(void **state)
{
    (void)state;
    struct appliance a;
    provision(CONTEXT(24, ""));
    appliance_start(&a, AF_INET6, record);
    struct chengmen_scan_answer first = ask(&a, 5000);
    assert_true(chengmen_scan_opens(&first));
    appliance_start(&a, AF_INET6, replay);
    struct chengmen_scan_answer result = ask(&a, 400);
    assert_int_equal(result.result, CHENGMEN_SCAN_TIMEOUT);
    assert_false(chengmen_scan_opens(&result));
    retire();
}

static bool refuse(struct appliance *a)
{
    appliance_send(a, COAP_ACK, COAP_UNAUTHORIZED, a->request.id, appliance_token(a),
                   (const uint8_t *)"\xa1\x04\x18\x34", 4);
    return false;
}

static void a_refusal_in_the_open_is_told_as_such(void **state)
{
    (void)state;
    struct appliance a;
    provision(CONTEXT(10, ""));
    appliance_start(&a, AF_INET, refuse);
    struct chengmen_scan_answer result = ask(&a, 5000);
    assert_int_equal(result.result, CHENGMEN_SCAN_REFUSED);
    assert_int_equal(result.reason, REASON_OSCORE_CONTEXT);
    assert_false(result.is_protected);
    retire();
}

static void no_number_is_taken_twice(void **state)
{
    (void)state;
    struct context_file one, two;
    char error[128];
    uint64_t last = 0, number;
    bool seen[512] = {false};
    forget_numbers();
    write_context(CONTEXT(10, ""));
    for (unsigned i = 0; i < 3; i++) {
        assert_true(context_file_open(path, &one, error, sizeof error));
        assert_true(context_file_open(path, &two, error, sizeof error));
        for (unsigned n = 0; n < 40; n++) {
            assert_true(context_file_take(n % 3 ? &one : &two, &number));
            assert_true(number < 512);
            assert_false(seen[number]);
            seen[number] = true;
            last = number;
        }
        context_file_close(&one); /* what a crash would leave: the rest of the blocks is lost */
        context_file_close(&two);
    }
    assert_true(last > 100);
}

static void a_broken_number_stops_the_point(void **state)
{
    (void)state;
    static const char *const broken[] = {"", "12", "x\n", "-1\n", "1099511627776\n", "99999999999999999999\n"};
    char error[128], sequence[80];
    struct context_file file;
    uint64_t number;
    snprintf(sequence, sizeof sequence, "%s.sequence", path);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        FILE *out = fopen(sequence, "w");
        fputs(broken[i], out);
        fclose(out);
        assert_true(context_file_open(path, &file, error, sizeof error));
        assert_false(context_file_take(&file, &number));
        context_file_close(&file);
    }
    forget_numbers();
}

static void only_the_agreed_form_is_a_context(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "[]",
        CONTEXT(10, "") "x",
        CONTEXT(11, ""),
        CONTEXT(10, ", \"extra\": 1"),
        CONTEXT(10, ", \"alg\": 10"),
        CONTEXT(10, ", \"id_context\": \"3\""),
        CONTEXT(10, ", \"id_context\": \"zz\""),
        CONTEXT(10, ", \"id_context\": \"000000000000000000\""),
        "{\"point\": 1.5, \"alg\": 10, \"master_secret\": \"01\", \"sender_id\": \"00\", \"recipient_id\": \"aa\"}",
        "{\"point\": 1, \"alg\": 10, \"master_secret\": \"\", \"sender_id\": \"00\", \"recipient_id\": \"aa\"}",
        "{\"point\": 1, \"alg\": 10, \"master_secret\": \"01\", \"sender_id\": \"aa\", \"recipient_id\": \"aa\"}",
        "{\"point\": 1, \"alg\": 10, \"master_secret\": \"01\", \"recipient_id\": \"aa\"}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct context_file file;
        char error[128];
        write_context(wrong[i]);
        if (context_file_open(path, &file, error, sizeof error))
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verdict_comes_protected),
        cmocka_unit_test(what_is_not_protected_or_was_touched_never_opens),
        cmocka_unit_test(a_replayed_answer_never_opens),
        cmocka_unit_test(a_refusal_in_the_open_is_told_as_such),
        cmocka_unit_test(no_number_is_taken_twice),
        cmocka_unit_test(a_broken_number_stops_the_point),
        cmocka_unit_test(only_the_agreed_form_is_a_context),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
