/* Profiles, and the pools made of them: what is signed verifies, what is expected is right, a seed gives one pool. */
#include "tests/unit/unit.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/coap.h"
#include "dataplane/reasons.h"
#include "keys/base45.h"
#include "keys/status_token.h"
#include "tests/load/link.h"
#include "tests/load/pool_make.h"

#define SEED 42
#define NOW_S 1700000000u

static const char text[] =
    "{\"name\": \"test\", \"duration_s\": 2, \"rate\": {\"shape\": \"constant\", \"per_s\": 100},"
    " \"points\": {\"count\": 50, \"zipf\": 1}, \"subjects\": 100000, \"pool\": 4000,"
    " \"issuers\": [\"CN-310000\", \"CN-320000\", \"CN-310000\"], \"text_share\": 0.2, \"confirmable\": 0.5,"
    " \"classes\": {\"dynamic\": 3, \"printed\": 1}, \"colours\": {\"green\": 7, \"yellow\": 1, \"red\": 1, "
    "\"revoked\": 1},"
    " \"venues\": {\"mall\": {\"share\": 1, \"evidence\": {\"temperature\": 3650, \"mask\": true}}, \"office\": "
    "{\"share\": 1}},"
    " \"invalid\": {\"forged\": 0.05, \"expired\": 0.05, \"unknown-key\": 0.05, \"garbage\": 0.05, \"malformed\": 0.05,"
    " \"replayed\": 0.05},"
    " \"expect\": [{\"colour\": \"yellow\", \"verdict\": \"REFER\", \"reason\": \"YELLOW\"},"
    " {\"colour\": \"red\", \"verdict\": \"DENY\", \"reason\": \"RED\", \"obligations\": [\"ISOLATE\"]},"
    " {\"venue\": \"mall\", \"verdict\": \"ALLOW\", \"reason\": \"NOT_REQUIRED\"},"
    " {\"verdict\": \"ALLOW\", \"reason\": \"GREEN\"}]}";

static struct profile profile;
static struct signer signer;

static int set_up(void **state)
{
    struct json_problems problems = {0};
    (void)state;
    bool good = profile_read(bytes_of_text(text), &profile, &problems) &&
                signer_open(&signer, SEED, profile.issuers, profile.issuer_count, 64);
    json_problems_free(&problems);
    return good ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    signer_close(&signer);
    return 0;
}

static const struct sign_issuer *issuer_of(const uint8_t kid[COSE_KID_SIZE])
{
    for (uint32_t i = 0; i < signer.issuer_count; i++)
        if (memcmp(signer.issuers[i].kid, kid, COSE_KID_SIZE) == 0)
            return &signer.issuers[i];
    return NULL;
}

static bool signature_good(const struct credential *credential)
{
    uint8_t room[COSE_SIGNED_MAX];
    const struct sign_issuer *issuer = issuer_of(credential->cose.kid);
    size_t length = cose_signed_bytes(&credential->cose, room, sizeof room);
    return issuer && crypto_sign_verify_detached(credential->cose.signature, room, length, issuer->public_key) == 0;
}

/* The credential of a request, taken out of the message as a target would; false where the request has none. */
static bool credential_of(const struct pool *pool, const struct pool_entry *entry, uint8_t *room, struct bytes *out)
{
    struct coap_message message;
    assert_int_equal(coap_parse((struct bytes){pool->messages + entry->offset, entry->length}, &message), COAP_OK);
    assert_int_equal(message.code, COAP_POST);
    assert_int_equal(message.token_length, TOKEN_SIZE);
    struct cbor_reader in = cbor_read(message.payload);
    uint32_t entries = cbor_take_map(&in, 4);
    assert_in_range(entries, 2, 3);
    assert_int_equal(cbor_take_uint(&in), 1);
    assert_ptr_equal(in.next + 1, pool->messages + entry->offset + entry->id_at);
    in.next += 5; /* the id is filled in when it is sent */
    assert_int_equal(cbor_take_uint(&in), 2);
    if (cbor_peek(&in) == CBOR_TEXT) {
        struct bytes shown = cbor_take_text(&in);
        size_t length;
        assert_memory_equal(shown.data, BASE45_PREFIX, 4);
        assert_true(
            base45_decode((struct bytes){shown.data + 4, shown.length - 4}, room, CREDENTIAL_SIZE_MAX, &length));
        *out = (struct bytes){room, length};
    } else if (cbor_peek(&in) == CBOR_BYTES) {
        *out = cbor_take_bytes(&in);
    } else {
        return false;
    }
    if (entries == 3) {
        assert_int_equal(cbor_take_uint(&in), 4);
        cbor_take_item(&in);
    }
    assert_true(cbor_done(&in));
    return true;
}

static void check_valid(const struct pool_entry *entry, const struct credential *credential)
{
    assert_true(signature_good(credential));
    assert_true(credential->iat_s <= NOW_S && credential->exp_s > NOW_S + 50);
    assert_true(credential->exp_s - credential->iat_s <= credential_life_max_s(credential->class));
    bool is_mall = point_venue(&profile, SEED, entry->point) == 0;
    switch (entry->expected.reason) {
    case REASON_GREEN:
        assert_false(is_mall);
        break;
    case REASON_NOT_REQUIRED:
        assert_true(is_mall);
        break;
    case REASON_RED:
        assert_int_equal(entry->expected.obligations, 1u << OBLIGATION_ISOLATE);
        break;
    default:
        assert_true(entry->expected.reason == REASON_YELLOW || entry->expected.reason == REASON_REVOKED);
    }
}

static void check_entry(const struct pool *pool, const struct pool_entry *entry)
{
    uint8_t room[CREDENTIAL_SIZE_MAX];
    struct bytes cose;
    struct credential credential;
    assert_int_equal(entry->sum, link_fold(link_sum(pool->messages + entry->offset, entry->length)));
    bool has = credential_of(pool, entry, room, &cose);
    assert_true(has == (entry->kind != KIND_MALFORMED));
    enum credential_error error = has ? credential_parse(cose, &credential) : CREDENTIAL_ERROR_FORM;
    switch (entry->kind) {
    case KIND_MALFORMED:
        assert_int_equal(entry->expected.code, COAP_BAD_REQUEST);
        break;
    case KIND_GARBAGE:
        assert_int_equal(error, CREDENTIAL_ERROR_FORM);
        assert_int_equal(entry->expected.reason, REASON_CREDENTIAL_FORM);
        break;
    case KIND_FORGED:
        assert_int_equal(error, CREDENTIAL_OK);
        assert_false(signature_good(&credential));
        assert_int_equal(entry->expected.reason, REASON_SIGNATURE);
        break;
    case KIND_UNKNOWN_KEY:
        assert_int_equal(error, CREDENTIAL_OK);
        assert_null(issuer_of(credential.cose.kid));
        break;
    case KIND_EXPIRED:
        assert_true(signature_good(&credential));
        assert_true(credential.exp_s < NOW_S);
        break;
    default:
        assert_int_equal(error, CREDENTIAL_OK);
        check_valid(entry, &credential);
    }
}

static void every_request_is_what_it_claims_to_be(void **state)
{
    struct pool pool;
    uint64_t kinds[KIND_COUNT] = {0};
    (void)state;
    assert_true(pool_make(&profile, &signer, SEED, NOW_S, &pool));
    for (uint64_t i = 0; i < pool.count; i++) {
        check_entry(&pool, &pool.entries[i]);
        kinds[pool.entries[i].kind]++;
    }
    for (unsigned kind = KIND_FORGED; kind <= KIND_MALFORMED; kind++)
        assert_in_range(kinds[kind], 140, 260);
    assert_in_range(kinds[KIND_REPLAYED], 60, 260);
    pool_free(&pool);
}

static void near(uint64_t found, double share, uint64_t of, const char *what)
{
    double expected = share * (double)of, slack = 5 * sqrt((double)of * share * (1 - share)) + 1;
    if (fabs((double)found - expected) > slack)
        fail_msg("%s: %lu of %lu, not %.0f", what, found, of, expected);
}

static void the_mix_is_the_one_asked_for(void **state)
{
    struct pool pool;
    uint64_t points[50] = {0}, classes[CLASS_COUNT] = {0}, colours[4] = {0}, text_count = 0, confirmable = 0, count = 0;
    double harmonic = 0;
    (void)state;
    assert_true(pool_make(&profile, &signer, SEED, NOW_S, &pool));
    for (uint64_t i = 0; i < pool.count; i++) {
        const struct pool_entry *entry = &pool.entries[i];
        uint8_t room[CREDENTIAL_SIZE_MAX];
        struct bytes cose;
        struct credential credential;
        points[entry->point]++;
        confirmable += (pool.messages[entry->offset] >> 4 & 3) == COAP_CON;
        if (entry->kind != KIND_VALID)
            continue;
        assert_true(credential_of(&pool, entry, room, &cose));
        assert_int_equal(credential_parse(cose, &credential), CREDENTIAL_OK);
        count++;
        text_count += cose.data == room;
        classes[credential.class]++;
        if (credential.class == CLASS_DYNAMIC)
            colours[credential.colour]++;
    }
    near(classes[CLASS_DYNAMIC], 0.75, count, "dynamic");
    near(classes[CLASS_PRINTED], 0.25, count, "printed");
    near(colours[COLOUR_GREEN], 0.8, classes[CLASS_DYNAMIC], "green, and revoked since");
    near(colours[COLOUR_YELLOW], 0.1, classes[CLASS_DYNAMIC], "yellow");
    near(colours[COLOUR_RED], 0.1, classes[CLASS_DYNAMIC], "red");
    near(text_count, 0.2, count, "as text");
    near(confirmable, 0.5, pool.count, "confirmable");
    for (int i = 1; i <= 50; i++)
        harmonic += 1.0 / i;
    for (int i = 0; i < 50; i++)
        near(points[i], 1 / (harmonic * (i + 1)), pool.count, "a point's share by Zipf's law");
    pool_free(&pool);
}

static void a_replay_is_the_code_of_an_earlier_request(void **state)
{
    struct pool pool;
    uint64_t replayed = 0;
    (void)state;
    assert_true(pool_make(&profile, &signer, SEED, NOW_S, &pool));
    for (uint64_t i = 1000; i < pool.count; i++) {
        uint8_t room[2][CREDENTIAL_SIZE_MAX];
        struct bytes now, before;
        if (pool.entries[i].kind != KIND_REPLAYED)
            continue;
        assert_true(credential_of(&pool, &pool.entries[i], room[0], &now));
        assert_true(credential_of(&pool, &pool.entries[i - 1000], room[1], &before));
        assert_true(bytes_equal(now, before));
        replayed++;
    }
    assert_true(replayed > 50);
    pool_free(&pool);
}

static void a_million_points_ask(void **state)
{
    struct profile nation;
    struct signer own;
    struct pool pool;
    (void)state;
    assert_true(profile_load("nation", &nation));
    nation.pool = 20000;
    assert_true(signer_open(&own, SEED, nation.issuers, nation.issuer_count, 64));
    assert_true(pool_make(&nation, &own, SEED, NOW_S, &pool));
    uint8_t *asked = calloc(1, nation.points);
    uint64_t distinct = 0, above = 0;
    for (uint64_t i = 0; i < pool.count; i++) {
        assert_true(pool.entries[i].point < 1000000);
        distinct += asked[pool.entries[i].point]++ == 0;
        above += pool.entries[i].point >= 500000;
    }
    assert_true(distinct > 17000);
    near(above, 0.242, pool.count, "points of the rarer half"); /* 1 - 2^(s - 1), s = 0.6 */
    free(asked);
    pool_free(&pool);
    signer_close(&own);
}

static void a_seed_gives_one_pool(void **state)
{
    struct pool first, again, other;
    (void)state;
    assert_true(pool_make(&profile, &signer, SEED, NOW_S, &first));
    assert_true(pool_make(&profile, &signer, SEED, NOW_S, &again));
    assert_true(pool_make(&profile, &signer, SEED, NOW_S + 30, &other));
    assert_int_equal(first.messages_size, again.messages_size);
    for (uint64_t i = 0; i < first.count; i++) {
        const struct pool_entry *a = &first.entries[i], *b = &again.entries[i], *c = &other.entries[i];
        assert_memory_equal(a, b, sizeof *a);
        assert_memory_equal(first.messages + a->offset, again.messages + b->offset, a->length);
        assert_memory_equal(&a->expected, &c->expected, sizeof a->expected); /* a renewed pool deserves the same */
        assert_int_equal(a->point, c->point);
    }
    pool_free(&first);
    pool_free(&again);
    pool_free(&other);
}

static void lists_hold_what_the_pool_expects(void **state)
{
    static uint8_t bits[STATUS_LIST_BYTES_MAX];
    static const enum status_value values[] = {STATUS_VALID, STATUS_SUSPENDED, STATUS_APPLICATION, STATUS_INVALID};
    uint64_t counts[STATE_COUNT] = {0};
    (void)state;
    status_bits(&profile, SEED, 1, 0, bits);
    const struct status_list list = {.bits = bits};
    for (uint64_t subject = 1; subject < profile.subjects; subject += profile.issuer_count) {
        struct subject_place place = subject_place(&profile, subject);
        enum state status = subject_state(&profile, SEED, subject);
        assert_int_equal(place.issuer, 1);
        assert_int_equal(status_list_get(&list, place.index), values[status]);
        counts[status]++;
    }
    assert_in_range(counts[STATE_REVOKED], 3000, 3700);
}

static void an_importer_takes_the_signed_lists(void **state)
{
    static uint8_t bits[STATUS_LIST_BYTES_MAX], token[SIGN_LIST_SIZE_MAX], room[STATUS_LIST_BYTES_MAX];
    struct status_list list = {
        .iat_s = NOW_S, .exp_s = NOW_S + 100, .ttl_s = 50, .entries = STATUS_LIST_ENTRIES_MAX, .bits = bits};
    (void)state;
    for (uint32_t issuer = 0; issuer < signer.issuer_count; issuer++) {
        struct issuer_key key = signer_status_key(&signer, issuer);
        struct status_token parsed;
        struct status_list opened;
        status_uri(&signer, issuer, 0, list.uri, sizeof list.uri);
        status_bits(&profile, SEED, issuer, 0, bits);
        size_t length = signer_sign_list(&signer, issuer, &list, token);
        assert_int_equal(status_token_parse((struct bytes){token, length}, &parsed), STATUS_TOKEN_OK);
        assert_int_equal(status_token_open(&parsed, &key, bytes_of_text(list.uri), NOW_S + 1, NOW_S - 1, room, &opened),
                         STATUS_TOKEN_OK);
        assert_int_equal(opened.entries, STATUS_LIST_ENTRIES_MAX);
        assert_memory_equal(opened.bits, bits, sizeof bits);
        struct issuer_key other = signer_key(&signer, issuer);
        assert_int_not_equal(memcmp(other.kid, key.kid, sizeof key.kid), 0);
        token[length - 100] ^= 1;
        assert_int_equal(status_token_parse((struct bytes){token, length}, &parsed), STATUS_TOKEN_OK);
        assert_int_equal(status_token_open(&parsed, &key, bytes_of_text(list.uri), NOW_S + 1, 0, room, &opened),
                         STATUS_TOKEN_SIGNATURE);
    }
}

static void refused(const char *what, const char *with, const char *pointer)
{
    char changed[sizeof text + 200];
    struct profile out;
    struct json_problems problems = {0};
    const char *at = strstr(text, what);
    assert_non_null(at);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, with, at + strlen(what));
    assert_false(profile_read(bytes_of_text(changed), &out, &problems));
    assert_true(problems.count > 0);
    assert_string_equal(problems.items[0].pointer, pointer);
    json_problems_free(&problems);
}

static void profiles_are_strict(void **state)
{
    (void)state;
    refused("\"duration_s\": 2", "\"duration_s\": -2", "/duration_s");
    refused("\"per_s\": 100", "\"per_s\": 100, \"per_m\": 1", "/rate/per_m");
    refused("\"forged\": 0.05", "\"forged\": 0.99", "/invalid");
    refused("\"temperature\": 3650", "\"temperature\": \"hot\"", "/venues/mall/evidence/temperature");
    refused("\"reason\": \"RED\"", "\"reason\": \"READ\"", "/expect/1/reason");
    refused("\"venue\": \"mall\", ", "\"venue\": \"moll\", ", "/expect/2/venue");
    refused(", {\"verdict\": \"ALLOW\", \"reason\": \"GREEN\"}", "", "/expect"); /* nobody says what offices get */
    refused("\"name\": \"test\"", "\"name\": \"test\", \"nmae\": \"test\"", "/nmae");
}

static void every_shipped_profile_is_one(void **state)
{
    static const char *const names[] = {"shanghai-rush-hour", "xian-surge", "nation", "commuter", "storm",
                                        "retry-storm",        "constant",   "ramp",   "step",     "poisson",
                                        "bench-gate",         "bench-peers"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct profile shipped;
        assert_true(profile_load(names[i], &shipped));
        assert_string_equal(shipped.name, names[i]);
        assert_true(rate_requests(&shipped.rate) > 1000);
        assert_int_equal(access(shipped.rules, R_OK), 0);
    }
    struct profile rush, nation, surge;
    assert_true(profile_load("shanghai-rush-hour", &rush) && profile_load("nation", &nation) &&
                profile_load("xian-surge", &surge));
    assert_true(rate_peak_per_s(&rush.rate) == 14000 && rush.points == 30000);
    assert_true(rate_peak_per_s(&nation.rate) == 780000 && nation.points == 1000000);
    assert_true(rate_peak_per_s(&surge.rate) == 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mix_is_the_one_asked_for),
        cmocka_unit_test(a_replay_is_the_code_of_an_earlier_request),
        cmocka_unit_test(a_million_points_ask),
        cmocka_unit_test(an_importer_takes_the_signed_lists),
        cmocka_unit_test(every_request_is_what_it_claims_to_be),
        cmocka_unit_test(a_seed_gives_one_pool),
        cmocka_unit_test(lists_hold_what_the_pool_expects),
        cmocka_unit_test(profiles_are_strict),
        cmocka_unit_test(every_shipped_profile_is_one),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
