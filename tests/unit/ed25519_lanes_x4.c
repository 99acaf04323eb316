/* The four-lane arithmetic against the portable one. Compiled for AVX2 and FMA; main asks the processor first. */
#include "tests/unit/unit.h"

#include "keys/ed25519/encode_x4.h"
#include "keys/ed25519/key.h"
#include "keys/ed25519/point_x4.h"
#include "keys/ed25519/sha512.h"
#include "keys/ed25519/sha512_x4.h"
#include "keys/ed25519/table_x4.h"
#include "tests/unit/big.h"
#include "tests/unit/ed25519_cases.h"

#define ROUNDS 2000
#define REDUCED_MAX ((INT64_C(1) << 50) + (INT64_C(1) << 13))
#define WIDE_MAX ((INT64_C(1) << 51) + (INT64_C(1) << 14))
#define RAW_MAX INT64_C(0x02d4000000000000) /* just below 2^57.5 */
#define CARRIED_MAX (INT64_C(1) << 60)

struct signed_limbs {
    int64_t limb[5];
};

/* Extremes of either sign in some lanes, limbs of p, and random limbs in the others. */
static void some_limbs(struct case_random *random, int64_t limb_max, struct signed_limbs lanes[LANES])
{
    for (unsigned lane = 0; lane < LANES; lane++) {
        uint32_t kind = case_random_below(random, 6);
        for (unsigned i = 0; i < 5; i++) {
            int64_t size = kind == 0   ? limb_max
                           : kind == 1 ? (case_random_below(random, 2) ? limb_max : 0)
                                       : (int64_t)(case_random_next(random) % ((uint64_t)limb_max + 1));
            bool negative = kind == 0 ? lane % 2 == 1 : case_random_below(random, 2) == 1;
            lanes[lane].limb[i] = negative ? -size : size;
            if (kind == 2) /* around zero, and so around p */
                lanes[lane].limb[i] = i == 0 ? (int64_t)case_random_below(random, 41) - 20 : 0;
        }
    }
}

static struct field4 field4_of_limbs(const struct signed_limbs lanes[LANES])
{
    struct field4 r;
    for (unsigned i = 0; i < 5; i++)
        r.limb[i] = _mm256_set_pd((double)lanes[3].limb[i], (double)lanes[2].limb[i], (double)lanes[1].limb[i],
                                  (double)lanes[0].limb[i]);
    return r;
}

static struct raw4 raw4_of_limbs(const struct signed_limbs lanes[LANES], uint64_t bias)
{
    struct raw4 r;
    for (unsigned i = 0; i < 5; i++)
        r.limb[i] = _mm256_add_epi64(
            _mm256_set_epi64x(lanes[3].limb[i], lanes[2].limb[i], lanes[1].limb[i], lanes[0].limb[i]), lanes_of(bias));
    return r;
}

static void limbs_of_field4(struct field4 f, struct signed_limbs lanes[LANES])
{
    for (unsigned i = 0; i < 5; i++) {
        double limb[LANES];
        _mm256_storeu_pd(limb, f.limb[i]);
        for (unsigned lane = 0; lane < LANES; lane++) {
            lanes[lane].limb[i] = (int64_t)limb[lane];
            assert_true((double)lanes[lane].limb[i] == limb[lane]);
        }
    }
}

static void limbs_of_raw4(struct raw4 f, uint64_t bias, struct signed_limbs lanes[LANES])
{
    for (unsigned i = 0; i < 5; i++) {
        uint64_t limb[LANES];
        _mm256_storeu_si256((__m256i *)limb, f.limb[i]);
        for (unsigned lane = 0; lane < LANES; lane++)
            lanes[lane].limb[i] = (int64_t)(limb[lane] - bias);
    }
}

static void assert_at_most(const struct signed_limbs lanes[LANES], int64_t limb_max)
{
    for (unsigned lane = 0; lane < LANES; lane++)
        for (unsigned i = 0; i < 5; i++)
            assert_in_range(lanes[lane].limb[i] + limb_max, 0, 2 * limb_max);
}

/* Modulo p. Signed limbs plus those of 2^10 p are above zero. */
static struct big model_of(const struct signed_limbs *lane)
{
    struct big p = big_p();
    uint64_t limb[5];
    for (unsigned i = 0; i < 5; i++)
        limb[i] = (uint64_t)lane->limb[i] + (UINT64_C(1) << 61) - (i == 0 ? 19 : 1) * (UINT64_C(1) << 10);
    return big_modulo(big_of_limbs(limb), &p);
}

static void assert_model(const struct signed_limbs *got, struct big wanted)
{
    struct big p = big_p(), value = model_of(got);
    wanted = big_modulo(wanted, &p);
    assert_memory_equal(&value, &wanted, sizeof value);
}

static struct field portable_of(const struct signed_limbs *lane)
{
    struct big value = model_of(lane);
    uint8_t bytes[32];
    big_to_bytes(&value, bytes);
    return field_from_bytes(bytes);
}

/* Raw products stay within their bounds for the largest factors, and are right with every bias. */
static void products_follow_the_model(void **state)
{
    (void)state;
    static const uint64_t bias[] = {0, BIAS_VALUE / 2, BIAS_VALUE};
    struct case_random random = {1};
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct signed_limbs a[LANES], b[LANES], raw[3][LANES], carried[LANES];
        some_limbs(&random, REDUCED_MAX, a);
        some_limbs(&random, WIDE_MAX, b);
        struct field4 x = field4_of_limbs(a), y = field4_of_limbs(b);
        limbs_of_raw4(field4_multiply_raw(x, y, FIELD4_BIAS_NONE), bias[0], raw[0]);
        limbs_of_raw4(field4_multiply_raw(y, x, FIELD4_BIAS_HALF), bias[1], raw[1]);
        limbs_of_raw4(field4_multiply_raw(x, y, FIELD4_BIAS), bias[2], raw[2]);
        limbs_of_field4(field4_multiply(x, y), carried);
        assert_at_most(raw[0], RAW_MAX);
        assert_memory_equal(raw[1], raw[0], sizeof raw[0]);
        assert_memory_equal(raw[2], raw[0], sizeof raw[0]);
        assert_at_most(carried, REDUCED_MAX);
        unsigned lane = i % LANES;
        struct big m = model_of(&a[lane]), n = model_of(&b[lane]), product = big_multiply(&m, &n);
        assert_model(&raw[0][lane], product);
        assert_model(&carried[lane], product);
    }
}

/* Every limb of one factor alone with every limb of the other, at their extremes. */
static void single_limbs_multiply(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 25; i++) {
        struct signed_limbs a[LANES] = {{{0}}}, b[LANES] = {{{0}}}, raw[LANES];
        for (unsigned lane = 0; lane < LANES; lane++) {
            a[lane].limb[i / 5] = (lane & 1) ? -REDUCED_MAX : REDUCED_MAX;
            b[lane].limb[i % 5] = (lane & 2) ? -WIDE_MAX : WIDE_MAX;
        }
        limbs_of_raw4(field4_multiply_raw(field4_of_limbs(a), field4_of_limbs(b), FIELD4_BIAS_NONE), 0, raw);
        for (unsigned lane = 0; lane < LANES; lane++) {
            struct big m = model_of(&a[lane]), n = model_of(&b[lane]);
            assert_model(&raw[lane], big_multiply(&m, &n));
        }
    }
}

/* Sums and differences of raw numbers at the bound that carrying takes. */
static void sums_of_raw_numbers_carry(void **state)
{
    (void)state;
    struct case_random random = {3};
    struct big p = big_p();
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct signed_limbs a[LANES], b[LANES], sum[LANES], difference[LANES];
        some_limbs(&random, CARRIED_MAX / 2, a);
        some_limbs(&random, CARRIED_MAX / 2, b);
        struct raw4 x = raw4_of_limbs(a, BIAS_VALUE), y = raw4_of_limbs(b, 0);
        limbs_of_field4(raw4_carry(raw4_add(x, y)), sum);
        limbs_of_field4(raw4_carry(raw4_subtract(x, y)), difference);
        assert_at_most(sum, REDUCED_MAX);
        assert_at_most(difference, REDUCED_MAX);
        unsigned lane = i % LANES;
        struct big m = model_of(&a[lane]), n = model_of(&b[lane]), more = big_add(m, &p);
        assert_model(&sum[lane], big_add(m, &n));
        assert_model(&difference[lane], big_subtract(more, &n));
    }
}

/* Carries at the edge: every limb one unit of 2^50 around a multiple of 2^51. */
static void carries_round_at_their_edges(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 27; i++) {
        struct signed_limbs a[LANES], carried[LANES];
        for (unsigned lane = 0; lane < LANES; lane++)
            for (unsigned limb = 0; limb < 5; limb++)
                a[lane].limb[limb] = ((int64_t)lane - 2) * (INT64_C(1) << 51) +
                                     ((int64_t)(i / 9) - 1) * (INT64_C(1) << 50) + (int64_t)(i % 9) - 4;
        limbs_of_field4(raw4_carry(raw4_of_limbs(a, BIAS_VALUE)), carried);
        assert_at_most(carried, REDUCED_MAX);
        for (unsigned lane = 0; lane < LANES; lane++)
            assert_model(&carried[lane], model_of(&a[lane]));
    }
}

static void canonical_forms_are_the_portable_ones(void **state)
{
    (void)state;
    struct case_random random = {4};
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct signed_limbs in[LANES], out[LANES];
        some_limbs(&random, REDUCED_MAX, in);
        limbs_of_raw4(field4_canonical(field4_of_limbs(in)), 0, out);
        for (unsigned lane = 0; lane < LANES; lane++) {
            uint64_t word[4];
            field_to_words(portable_of(&in[lane]), word);
            struct field wanted = field_from_words(word);
            assert_memory_equal(&out[lane], &wanted, sizeof wanted);
        }
    }
}

static void words_unpack_as_one_by_one(void **state)
{
    (void)state;
    struct case_random random = {8};
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t words[LANES][4], address[LANES];
        for (unsigned lane = 0; lane < LANES; lane++) {
            address[lane] = (uintptr_t)words[lane];
            for (unsigned word = 0; word < 4; word++)
                words[lane][word] = i % 8 == 0 ? UINT64_MAX : case_random_next(&random);
        }
        __m256i word[4];
        struct signed_limbs got[LANES];
        load_words4(address, 0, word);
        limbs_of_field4(field4_from_words(word), got);
        for (unsigned lane = 0; lane < LANES; lane++) {
            struct field wanted = field_from_words(words[lane]);
            assert_memory_equal(&got[lane], &wanted, sizeof wanted);
        }
    }
}

static void inverses_multiply_to_one_in_every_lane(void **state)
{
    (void)state;
    struct case_random random = {5};
    for (unsigned i = 0; i < ROUNDS / 4; i++) {
        struct signed_limbs in[LANES], out[LANES];
        some_limbs(&random, REDUCED_MAX, in);
        struct field portable[LANES];
        bool zero = false;
        for (unsigned lane = 0; lane < LANES; lane++) {
            portable[lane] = portable_of(&in[lane]);
            zero = zero || field_is_zero(portable[lane]);
        }
        if (zero)
            continue;
        struct field4 a = field4_of_limbs(in);
        limbs_of_field4(invert_x4(&a), out);
        assert_at_most(out, REDUCED_MAX);
        for (unsigned lane = 0; lane < LANES; lane++)
            assert_true(field_equal(field_multiply(portable[lane], portable_of(&out[lane])), field_one));
    }
}

/* Every length to 1,000, beside lanes of any other length. The messages end where their memory does, so that a read
 * beyond shows in the sanitizers' builds. */
static void hashes_are_the_portable_ones(void **state)
{
    (void)state;
    struct case_random random = {7};
    struct ed25519_key key;
    uint8_t signature[64];
    case_random_fill(&random, key.public_key, sizeof key.public_key);
    case_random_fill(&random, signature, sizeof signature);
    for (size_t length = 0; length <= CASE_MESSAGE_MAX; length++) {
        struct ed25519_check checks[LANES];
        const struct ed25519_check *pointers[LANES];
        uint8_t *messages[LANES], digest[LANES][64];
        for (unsigned lane = 0; lane < LANES; lane++) {
            size_t lane_length = lane == length % LANES ? length : case_random_below(&random, CASE_MESSAGE_MAX + 1);
            messages[lane] = malloc(lane_length ? lane_length : 1);
            assert_non_null(messages[lane]);
            case_random_fill(&random, messages[lane], lane_length);
            checks[lane] = (struct ed25519_check){messages[lane], lane_length, signature, &key};
            pointers[lane] = &checks[lane];
        }
        sha512_challenge_x4(pointers, digest);
        for (unsigned lane = 0; lane < LANES; lane++) {
            uint8_t wanted[64];
            sha512_challenge(signature, key.public_key, checks[lane].message, checks[lane].length, wanted);
            assert_memory_equal(digest[lane], wanted, sizeof wanted);
            free(messages[lane]);
        }
    }
}

static void tables_are_the_portable_ones(void **state)
{
    (void)state;
    struct curve_point point = point_base;
    for (unsigned width = TABLE_WIDTH_MIN; width <= 13; width++) {
        struct window_shape shape = window_shape(width);
        struct niels_packed *wanted = calloc(1, shape.bytes), *got = calloc(1, shape.bytes);
        assert_non_null(wanted);
        assert_non_null(got);
        point = point_add(&point, &point);
        table_build(&shape, &point, wanted);
        table_build_x4(&shape, &point, got);
        assert_memory_equal(got, wanted, shape.bytes);
        free(wanted);
        free(got);
    }
}

int ed25519_lanes_x4_run(void);
int ed25519_lanes_x4_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_follow_the_model),
        cmocka_unit_test(single_limbs_multiply),
        cmocka_unit_test(sums_of_raw_numbers_carry),
        cmocka_unit_test(carries_round_at_their_edges),
        cmocka_unit_test(canonical_forms_are_the_portable_ones),
        cmocka_unit_test(words_unpack_as_one_by_one),
        cmocka_unit_test(inverses_multiply_to_one_in_every_lane),
        cmocka_unit_test(hashes_are_the_portable_ones),
        cmocka_unit_test(tables_are_the_portable_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
