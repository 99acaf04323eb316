/* The eight-lane arithmetic against the portable one. Compiled for AVX-512 IFMA; main asks the processor first. */
#include "tests/unit/unit.h"

#include "keys/ed25519/encode_x8.h"
#include "keys/ed25519/key.h"
#include "keys/ed25519/scalar_x8.h"
#include "keys/ed25519/sha512.h"
#include "keys/ed25519/sha512_x8.h"
#include "keys/ed25519/table_x8.h"
#include "tests/unit/big.h"
#include "tests/unit/ed25519_cases.h"

#define ROUNDS 2000
#define REDUCED_MAX ((UINT64_C(1) << 51) + (UINT64_C(1) << 15) - 1)
#define FACTOR_MAX ((UINT64_C(1) << 52) - 1)
#define RAW_MAX ((UINT64_C(1) << 59) - 1)

/* Extremes in some lanes, random limbs in the others. */
static struct field8 some_field8(struct case_random *random, uint64_t limb_max, struct field lanes[LANES])
{
    uint64_t limb[5][LANES];
    for (unsigned lane = 0; lane < LANES; lane++) {
        uint32_t kind = case_random_below(random, 6);
        for (unsigned i = 0; i < 5; i++) {
            limb[i][lane] = kind == 0   ? limb_max
                            : kind == 1 ? (case_random_below(random, 2) ? limb_max : 0)
                            : kind == 2 ? FIELD_LIMB_MASK - (i == 0 ? 18 + case_random_below(random, 3) : 0)
                                        : case_random_next(random) % (limb_max + 1);
            lanes[lane].limb[i] = limb[i][lane];
        }
    }
    struct field8 r;
    for (unsigned i = 0; i < 5; i++)
        r.limb[i] = _mm512_loadu_si512(limb[i]);
    return r;
}

static void lanes_out(struct field8 f, struct field lanes[LANES])
{
    for (unsigned i = 0; i < 5; i++) {
        uint64_t limb[LANES];
        _mm512_storeu_si512(limb, f.limb[i]);
        for (unsigned lane = 0; lane < LANES; lane++)
            lanes[lane].limb[i] = limb[lane];
    }
}

static void assert_limbs_at_most(struct field8 f, uint64_t limb_max)
{
    struct field lanes[LANES];
    lanes_out(f, lanes);
    for (unsigned lane = 0; lane < LANES; lane++)
        for (unsigned i = 0; i < 5; i++)
            assert_true(lanes[lane].limb[i] <= limb_max);
}

static void assert_model(struct field8 f, unsigned lane, struct big wanted)
{
    struct field lanes[LANES];
    lanes_out(f, lanes);
    struct big p = big_p(), got = big_of_limbs(lanes[lane].limb);
    got = big_modulo(got, &p);
    wanted = big_modulo(wanted, &p);
    assert_memory_equal(&got, &wanted, sizeof got);
}

/* Raw products stay within their bounds for the largest factors, and are right. */
static void products_follow_the_model(void **state)
{
    (void)state;
    struct case_random random = {1};
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct field a[LANES], b[LANES];
        struct field8 x = some_field8(&random, REDUCED_MAX, a), y = some_field8(&random, REDUCED_MAX, b);
        struct field8 raw = field8_multiply_raw(x, y), biased = field8_multiply_biased(x, y, FIELD8_BIAS_9);
        assert_limbs_at_most(raw, RAW_MAX);
        assert_limbs_at_most(biased, RAW_MAX + (UINT64_C(1) << 60));
        assert_limbs_at_most(field8_carry(raw), REDUCED_MAX);
        unsigned lane = i % LANES;
        struct big m = big_of_limbs(a[lane].limb), n = big_of_limbs(b[lane].limb), product = big_multiply(&m, &n);
        assert_model(raw, lane, product);
        assert_model(biased, lane, product);
        assert_model(field8_multiply_biased(x, y, FIELD8_BIAS_8), lane, product);
        assert_model(field8_carry(raw), lane, product);
    }
}

/* Factors with all 52 bits, as a negated table entry may have, multiply right too. */
static void factors_of_52_bits_multiply(void **state)
{
    (void)state;
    struct case_random random = {2};
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct field a[LANES], b[LANES];
        struct field8 x = some_field8(&random, REDUCED_MAX, a), y = some_field8(&random, FACTOR_MAX, b);
        unsigned lane = i % LANES;
        struct big m = big_of_limbs(a[lane].limb), n = big_of_limbs(b[lane].limb);
        assert_model(field8_multiply(x, y), lane, big_multiply(&m, &n));
    }
}

/* The sums and differences of an addition, from raw operands at their bounds. */
static void sums_of_raw_numbers_carry(void **state)
{
    (void)state;
    struct case_random random = {3};
    struct big p = big_p(), bias = big_shift(&p, 9);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct field a[LANES], b[LANES], bias_lanes[LANES];
        struct field8 x = some_field8(&random, RAW_MAX, a), y = some_field8(&random, RAW_MAX, b), bias_9;
        for (unsigned limb = 0; limb < 5; limb++)
            bias_9.limb[limb] = bias_limb(FIELD8_BIAS_9, limb, 0);
        lanes_out(bias_9, bias_lanes);
        struct field8 biased = field8_add(x, bias_9);
        struct field8 difference = field8_carry(field8_subtract(biased, y)), sum = field8_carry(field8_add(biased, y));
        assert_limbs_at_most(difference, REDUCED_MAX);
        assert_limbs_at_most(sum, REDUCED_MAX);
        unsigned lane = i % LANES;
        struct big m = big_of_limbs(a[lane].limb), n = big_of_limbs(b[lane].limb), with = big_add(m, &bias);
        assert_model(sum, lane, big_add(with, &n));
        struct big more = big_add(with, &bias); /* keeps the model above zero */
        assert_model(difference, lane, big_subtract(more, &n));
        struct big bias_value = big_of_limbs(bias_lanes[lane].limb);
        assert_memory_equal(&bias_value, &bias, sizeof bias);
    }
}

static void canonical_forms_are_the_portable_ones(void **state)
{
    (void)state;
    struct case_random random = {4};
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct field in[LANES], out[LANES];
        struct field8 x = some_field8(&random, REDUCED_MAX, in);
        lanes_out(field8_canonical(x), out);
        for (unsigned lane = 0; lane < LANES; lane++) {
            uint64_t word[4];
            field_to_words(in[lane], word);
            struct field wanted = field_from_words(word);
            assert_memory_equal(&out[lane], &wanted, sizeof wanted);
        }
    }
}

static void inverses_multiply_to_one_in_every_lane(void **state)
{
    (void)state;
    struct case_random random = {5};
    for (unsigned i = 0; i < ROUNDS / 4; i++) {
        struct field in[LANES], out[LANES];
        struct field8 x = some_field8(&random, REDUCED_MAX, in);
        bool zero = false;
        for (unsigned lane = 0; lane < LANES; lane++)
            zero = zero || field_is_zero(in[lane]);
        if (zero)
            continue;
        lanes_out(invert_x8(x), out);
        for (unsigned lane = 0; lane < LANES; lane++)
            assert_true(field_equal(field_multiply(in[lane], out[lane]), field_one));
    }
}

static void scalars_reduce_and_recode_as_one_by_one(void **state)
{
    (void)state;
    struct case_random random = {6};
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t in[8][LANES], out[4][LANES], recoded[4][LANES];
        __m512i wide[8], reduced[4], sum[4];
        for (unsigned word = 0; word < 8; word++) {
            for (unsigned lane = 0; lane < LANES; lane++) {
                uint32_t kind = case_random_below(&random, 8);
                in[word][lane] = kind == 0 ? 0 : kind == 1 ? UINT64_MAX : case_random_next(&random);
            }
            wide[word] = _mm512_loadu_si512(in[word]);
        }
        struct window_shape shape = window_shape(TABLE_WIDTH_MIN + i % (TABLE_WIDTH_MAX - TABLE_WIDTH_MIN + 1));
        scalar_reduce_x8(wide, reduced);
        table_recode_x8(&shape, reduced, sum);
        for (unsigned word = 0; word < 4; word++) {
            _mm512_storeu_si512(out[word], reduced[word]);
            _mm512_storeu_si512(recoded[word], sum[word]);
        }
        for (unsigned lane = 0; lane < LANES; lane++) {
            uint8_t bytes[64];
            uint64_t digits[4];
            for (unsigned word = 0; word < 8; word++)
                memcpy(bytes + 8 * word, &in[word][lane], 8);
            struct scalar wanted = scalar_reduce(bytes);
            table_recode(&shape, &wanted, digits);
            for (unsigned word = 0; word < 4; word++) {
                assert_int_equal(out[word][lane], wanted.word[word]);
                assert_int_equal(recoded[word][lane], digits[word]);
            }
        }
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
        uint8_t *messages[LANES];
        for (unsigned lane = 0; lane < LANES; lane++) {
            size_t lane_length = lane == length % LANES ? length : case_random_below(&random, CASE_MESSAGE_MAX + 1);
            messages[lane] = malloc(lane_length ? lane_length : 1);
            assert_non_null(messages[lane]);
            case_random_fill(&random, messages[lane], lane_length);
            checks[lane] = (struct ed25519_check){messages[lane], lane_length, signature, &key};
            pointers[lane] = &checks[lane];
        }
        __m512i digest[8];
        sha512_challenge_x8(pointers, digest);
        for (unsigned lane = 0; lane < LANES; lane++) {
            uint8_t wanted[64];
            sha512_challenge(signature, key.public_key, checks[lane].message, checks[lane].length, wanted);
            for (unsigned word = 0; word < 8; word++) {
                uint64_t got[LANES];
                _mm512_storeu_si512(got, digest[word]);
                assert_memory_equal(&got[lane], wanted + 8 * word, 8);
            }
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
        table_build_x8(&shape, &point, got);
        assert_memory_equal(got, wanted, shape.bytes);
        free(wanted);
        free(got);
    }
}

int ed25519_lanes_run(void);
int ed25519_lanes_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_follow_the_model),
        cmocka_unit_test(factors_of_52_bits_multiply),
        cmocka_unit_test(sums_of_raw_numbers_carry),
        cmocka_unit_test(canonical_forms_are_the_portable_ones),
        cmocka_unit_test(inverses_multiply_to_one_in_every_lane),
        cmocka_unit_test(scalars_reduce_and_recode_as_one_by_one),
        cmocka_unit_test(hashes_are_the_portable_ones),
        cmocka_unit_test(tables_are_the_portable_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
