/* RFC 8613 appendix C, both ends, as published (not carried in this tree). */
#include "tests/unit/unit.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/aead.h"
#include "dataplane/oscore.h"
#include "tests/reference/oscore_reference.h"

#define FIELD_MAX 64

struct field {
    uint8_t data[FIELD_MAX];
    size_t size;
    bool present;
};

static cJSON *vectors;

static int load(void **state)
{
    (void)state;
    /* meson runs tests in the build directory. */
    static const char *const folders[] = {"../../shared/vectors", "../shared/vectors"};
    const char *given = getenv("CHENGMEN_VECTORS");
    char path[512];
    FILE *file = NULL;
    for (size_t i = 0; !file && i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/oscore-rfc8613.json", given ? given : folders[i]);
        file = fopen(path, "rb");
    }
    if (!file)
        return 0;
    static char text[65536];
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    vectors = cJSON_Parse(text);
    return vectors ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    cJSON_Delete(vectors);
    return 0;
}

static cJSON *section(const char *name)
{
    if (!vectors) {
        print_message("skipped: no ../shared/vectors, and CHENGMEN_VECTORS is not set\n");
        skip();
    }
    cJSON *vector;
    cJSON_ArrayForEach(
        vector, cJSON_GetObjectItem(vectors, "vectors")) if (strcmp(cJSON_GetObjectItem(vector, "section")->valuestring,
                                                                    name) == 0) return cJSON_GetObjectItem(vector,
                                                                                                           "values");
    fail_msg("no section %s", name);
    return NULL;
}

static struct field get(const cJSON *values, const char *name)
{
    struct field field = {.size = 0};
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(values, name);
    field.present = value != NULL;
    for (const char *hex = value ? value->valuestring : ""; *hex; hex += 2) {
        unsigned byte;
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        assert_true(field.size < FIELD_MAX);
        field.data[field.size++] = (uint8_t)byte;
    }
    return field;
}

static struct bytes view(const struct field *field)
{
    return (struct bytes){field->data, field->size};
}

static void assert_field(const cJSON *values, const char *name, const void *data, size_t size)
{
    struct field field = get(values, name);
    assert_true(field.present);
    assert_int_equal(size, field.size);
    if (size)
        assert_memory_equal(data, field.data, size);
}

#define COPY(field, to)                                                                                                \
    do {                                                                                                               \
        memcpy(to, (field).data, (field).size);                                                                        \
        to##_size = (uint8_t)(field).size;                                                                             \
    } while (0)

static struct point_oscore context_of(const cJSON *values, enum oscore_end end)
{
    struct point_oscore p = {.alg = POINT_OSCORE_AES_CCM};
    bool client = end == OSCORE_END_POINT;
    struct field secret = get(values, "Master Secret"), salt = get(values, "Master Salt"),
                 context = get(values, "ID Context"), mine = get(values, "Sender ID"),
                 theirs = get(values, "Recipient ID");
    COPY(secret, p.master_secret);
    COPY(salt, p.master_salt);
    COPY(context, p.id_context);
    COPY(client ? mine : theirs, p.point_id);
    COPY(client ? theirs : mine, p.appliance_id);
    return p;
}

static void keys_and_nonces(void **state)
{
    (void)state;
    static const struct {
        const char *section;
        enum oscore_end end;
    } rows[] = {
        {"C.1.1", OSCORE_END_POINT},     {"C.1.2", OSCORE_END_APPLIANCE}, {"C.2.1", OSCORE_END_POINT},
        {"C.2.2", OSCORE_END_APPLIANCE}, {"C.3.1", OSCORE_END_POINT},     {"C.3.2", OSCORE_END_APPLIANCE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const cJSON *values = section(rows[i].section);
        struct point_oscore p = context_of(values, rows[i].end);
        struct oscore_keys keys;
        assert_true(oscore_keys_derive(&p, rows[i].end, &keys));
        assert_field(values, "Sender Key", keys.sender_key, 16);
        assert_field(values, "Recipient Key", keys.recipient_key, 16);
        assert_field(values, "Common IV", keys.common_iv, 13);
        struct field sender = get(values, "Sender ID"), recipient = get(values, "Recipient ID");
        const uint8_t zero[] = {0};
        uint8_t nonce[OSCORE_IV_MAX];
        oscore_nonce(keys.common_iv, 13, view(&sender), (struct bytes){zero, 1}, nonce);
        assert_field(values, "sender nonce", nonce, 13);
        oscore_nonce(keys.common_iv, 13, view(&recipient), (struct bytes){zero, 1}, nonce);
        assert_field(values, "recipient nonce", nonce, 13);
    }
}

/* What a client does: option, AAD, nonce and ciphertext of the requests in C.4 to C.6. */
static void requests_as_the_point_makes_them(void **state)
{
    (void)state;
    static const char *const names[] = {"C.4", "C.5", "C.6"};
    for (size_t i = 0; i < 3; i++) {
        const cJSON *values = section(names[i]);
        struct field kid = get(values, "kid"), kid_context = get(values, "kid context"),
                     piv = get(values, "Partial IV"), iv = get(values, "Common IV"),
                     key = get(values, "encryption key"), plain = get(values, "plaintext");
        struct oscore_option option = {.piv = view(&piv),
                                       .kid = view(&kid),
                                       .has_kid = true,
                                       .kid_context = view(&kid_context),
                                       .has_kid_context = kid_context.present};
        uint8_t room[OSCORE_OPTION_MAX], own_piv[OSCORE_PIV_MAX];
        assert_field(values, "OSCORE option value", room, oscore_option_write(&option, room));
        assert_int_equal(oscore_piv_write(20, own_piv), 1);
        assert_int_equal(own_piv[0], 20);
        struct oscore_option read;
        struct field written = get(values, "OSCORE option value");
        assert_true(oscore_option_read(view(&written), &read));
        assert_true(bytes_equal(read.kid, option.kid) && bytes_equal(read.piv, option.piv) &&
                    bytes_equal(read.kid_context, option.kid_context));
        struct aead_job job = {.key = key.data, .data = plain.data, .size = (uint16_t)plain.size, .seal = true};
        uint8_t nonce[OSCORE_IV_MAX];
        oscore_nonce(iv.data, 13, view(&kid), view(&piv), nonce);
        assert_field(values, "nonce", nonce, 13);
        memcpy(job.nonce, nonce, 13);
        job.aad_size = oscore_aad(POINT_OSCORE_AES_CCM, view(&kid), view(&piv), job.aad);
        assert_field(values, "AAD", job.aad, job.aad_size);
        struct aead_job *jobs[] = {&job};
        aead_run(NULL, jobs, 1);
        assert_true(job.ok);
        assert_field(values, "ciphertext", plain.data, plain.size + 8);
    }
}

/* The appliance's stages on C.4's message: challenged first, which is where C.8's answer with a Partial IV comes from;
 * taken once the challenge is met, and answered with C.7's bytes. */
static void the_stages_make_the_published_answers(void **state)
{
    (void)state;
    struct point point = {.id = 7, .oscore = context_of(section("C.1.2"), OSCORE_END_APPLIANCE)};
    struct oscore *oscore = oscore_create(4, 0);
    struct oscore_worker *worker = oscore_worker_create(oscore, NULL);
    assert_int_equal(oscore_put(oscore, &point), OSCORE_ADDED);
    const cJSON *with_piv = section("C.8"), *without_piv = section("C.7");
    struct field message = get(section("C.4"), "Protected CoAP request (OSCORE message)"), again = message;
    struct field answer = get(with_piv, "plaintext");
    struct coap_message outer;
    assert_int_equal(coap_parse(view(&message), &outer), COAP_OK);
    struct oscore_request r = {.outer = &outer}, *requests[] = {&r};
    oscore_unprotect_burst(worker, requests, 1);
    assert_int_equal(r.reason, REASON_OSCORE_ECHO);
    assert_true(r.is_protected);
    r.response = answer.data;
    r.response_size = (uint16_t)answer.size;
    oscore_protect_burst(worker, requests, 1);
    assert_field(with_piv, "ciphertext", answer.data, r.response_size);
    assert_field(with_piv, "OSCORE option value", r.option, r.option_size);

    uint8_t plain[16] = {COAP_GET}, option[32], sealed[64], wire[128];
    struct coap_writer inner = coap_write_options(plain + 1, sizeof plain - 1);
    coap_put_option(&inner, COAP_OPTION_ECHO, (struct bytes){r.echo, OSCORE_ECHO_SIZE});
    size_t option_size,
        size = reference_seal_request(&point.oscore, 19, (struct bytes){plain, 1 + coap_written(&inner)}, option,
                                      &option_size, sealed);
    struct coap_writer out = coap_write(wire, sizeof wire, COAP_CON, COAP_POST, 1, (struct bytes){NULL, 0});
    coap_put_option(&out, COAP_OPTION_OSCORE, (struct bytes){option, option_size});
    coap_put_payload(&out, (struct bytes){sealed, size});
    assert_int_equal(coap_parse((struct bytes){wire, coap_written(&out)}, &outer), COAP_OK);
    oscore_unprotect_burst(worker, requests, 1);
    assert_int_equal(r.reason, REASON_NONE);

    assert_int_equal(coap_parse(view(&again), &outer), COAP_OK);
    oscore_unprotect_burst(worker, requests, 1);
    assert_int_equal(r.reason, REASON_NONE);
    assert_int_equal(r.point, 7);
    assert_int_equal(r.inner.code, COAP_GET);
    assert_true(bytes_equal(coap_find(&r.inner, COAP_OPTION_URI_PATH)->value, bytes_of_text("tv1")));
    answer = get(without_piv, "plaintext");
    r.response = answer.data;
    r.response_size = (uint16_t)answer.size;
    oscore_protect_burst(worker, requests, 1);
    assert_field(without_piv, "ciphertext", answer.data, r.response_size);
    assert_int_equal(r.option_size, 0);
    oscore_worker_destroy(worker);
    oscore_destroy(oscore);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_nonces),
        cmocka_unit_test(requests_as_the_point_makes_them),
        cmocka_unit_test(the_stages_make_the_published_answers),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
