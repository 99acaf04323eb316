#include "tests/unit/unit.h"

#include "keys/ed25519/inverse.h"
#include "keys/ed25519/scalar.h"
#include "keys/ed25519/sha512.h"
#include "keys/ed25519/table.h"
#include "tests/unit/big.h"
#include "tests/unit/ed25519_cases.h"

#include <sodium.h>

#define ROUNDS 400
#define TIGHT_MAX ((UINT64_C(1) << 51) + (UINT64_C(1) << 14) - 1)
#define LOOSE_MAX ((UINT64_C(1) << 54) - 1)

/* Limbs at their extremes, one limb apart from the rest, and random ones; the top bound is in the list. */
static struct field some_field(struct case_random *random, unsigned number, uint64_t limb_max)
{
    struct field f;
    for (unsigned i = 0; i < 5; i++) {
        if (number == 0)
            f.limb[i] = limb_max;
        else if (number <= 5)
            f.limb[i] = i == number - 1 ? limb_max : 0;
        else if (number <= 10)
            f.limb[i] = i == number - 6 ? 0 : limb_max;
        else if (number <= 30) /* p - 10 to p + 9 */
            f.limb[i] = i == 0 ? (UINT64_C(1) << 51) - 19 - 10 + number - 11 : FIELD_LIMB_MASK;
        else
            f.limb[i] = case_random_next(random) % (limb_max + 1);
    }
    return f;
}

static void assert_field(struct field got, const struct big *wanted_unreduced)
{
    struct big p = big_p(), wanted = big_modulo(*wanted_unreduced, &p);
    uint8_t wanted_bytes[32], got_bytes[32];
    big_to_bytes(&wanted, wanted_bytes);
    field_to_bytes(got, got_bytes);
    assert_memory_equal(got_bytes, wanted_bytes, 32);
}

static void assert_tight(struct field f)
{
    for (unsigned i = 0; i < 5; i++)
        assert_true(f.limb[i] <= TIGHT_MAX);
}

static void products_and_sums_follow_the_model(void **state)
{
    (void)state;
    struct case_random random = {1};
    struct big p = big_p(), p4 = big_shift(&p, 2);
    for (unsigned i = 0; i < ROUNDS; i++) {
        /* The lists meet in every combination of the first thirty-one. */
        struct field a = some_field(&random, i % 33, LOOSE_MAX), b = some_field(&random, i / 12, LOOSE_MAX);
        struct big x = big_of_limbs(a.limb), y = big_of_limbs(b.limb);
        struct big product = big_multiply(&x, &y);
        struct field got = field_multiply(a, b);
        assert_tight(got);
        assert_field(got, &product);

        struct field c = some_field(&random, i % 33, TIGHT_MAX), d = some_field(&random, i / 12, TIGHT_MAX);
        x = big_of_limbs(c.limb), y = big_of_limbs(d.limb);
        struct big sum = big_add(x, &y), difference = big_add(x, &p4);
        difference = big_subtract(difference, &y);
        assert_field(field_add(c, d), &sum);
        assert_field(field_subtract(c, d), &difference);
        assert_int_equal(field_equal(c, d), field_is_zero(field_subtract(c, d)));
    }
}

static void bytes_come_and_go(void **state)
{
    (void)state;
    struct case_random random = {2};
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint8_t bytes[32];
        case_random_fill(&random, bytes, sizeof bytes);
        if (i < 40) { /* around p, with and without bit 255 */
            memset(bytes, 0xff, sizeof bytes);
            bytes[0] = (uint8_t)(0xe0 + i % 20 * 3 / 2);
            bytes[31] = i < 20 ? 0x7f : 0xff;
        }
        struct field f = field_from_bytes(bytes);
        bytes[31] &= 0x7f;
        struct big value = big_of_bytes(bytes, 32);
        assert_field(f, &value);
    }
}

static void inverses_multiply_to_one(void **state)
{
    (void)state;
    struct case_random random = {3};
    assert_true(field_is_zero(field_invert(field_zero)));
    for (unsigned i = 0; i < 20 * ROUNDS; i++) {
        struct field a = some_field(&random, i, LOOSE_MAX);
        if (field_is_zero(a)) {
            assert_true(field_is_zero(field_invert(a)));
            continue;
        }
        struct field inverse = field_invert(a);
        assert_tight(inverse);
        assert_true(field_equal(field_multiply(a, inverse), field_one));
    }
    /* Small ones, powers of two and their opposites stay longest in the division steps. */
    for (unsigned bit = 0; bit < 255; bit++) {
        struct field a = field_zero;
        a.limb[bit / 51] = UINT64_C(1) << bit % 51;
        assert_true(field_equal(field_multiply(a, field_invert(a)), field_one));
        a = field_negate(a);
        assert_true(field_equal(field_multiply(a, field_invert(a)), field_one));
    }
}

static void wide_numbers_reduce_modulo_the_order(void **state)
{
    (void)state;
    struct case_random random = {4};
    struct big order = big_order();
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint8_t wide[64];
        case_random_fill(&random, wide, sizeof wide);
        if (i < 8)
            memset(wide, i % 2 ? 0xff : 0, sizeof wide);
        if (i >= 8 && i < 128) { /* k L - 1, k L, k L + 1 for small k and for k near 2^259 */
            struct big k = big_of(i / 3 % 16), one = big_of(1);
            if (i >= 64) {
                k = big_shift(&one, 259 - i % 4);
                struct big less = big_of(i);
                k = big_subtract(k, &less);
            }
            struct big value = big_multiply(&k, &order);
            value = i % 3 == 0 ? value : big_add(value, &one);
            for (unsigned j = 0; j < 64; j++)
                wide[j] = (uint8_t)(value.digit[j / 4] >> 8 * (j % 4));
        }
        struct big value = big_of_bytes(wide, 64), wanted = big_modulo(value, &order);
        uint8_t bytes[32];
        big_to_bytes(&wanted, bytes);
        struct scalar got = scalar_reduce(wide);
        assert_memory_equal(got.word, bytes, 32);
    }
}

static void only_scalars_below_the_order_are_taken(void **state)
{
    (void)state;
    struct big order = big_order(), one = big_of(1);
    for (int step = -3; step <= 3; step++) {
        struct big distance = big_of((uint64_t)(step < 0 ? -step : step)), value = order;
        value = step < 0 ? big_subtract(value, &distance) : big_add(value, &distance);
        uint8_t bytes[32];
        big_to_bytes(&value, bytes);
        struct scalar s;
        assert_int_equal(scalar_from_bytes(bytes, &s), step < 0);
    }
    for (unsigned bit = 0; bit < 256; bit++) {
        struct big value = big_shift(&one, bit);
        uint8_t bytes[32];
        big_to_bytes(&value, bytes);
        struct scalar s;
        assert_int_equal(scalar_from_bytes(bytes, &s), bit <= 252);
    }
}

static void hashes_are_libsodiums(void **state)
{
    (void)state;
    struct case_random random = {5};
    uint8_t input[64 + CASE_MESSAGE_MAX], wanted[64], got[64];
    case_random_fill(&random, input, sizeof input);
    for (size_t length = 0; length <= CASE_MESSAGE_MAX; length++) {
        crypto_hash_sha512(wanted, input, 64 + length);
        sha512_challenge(input, input + 32, input + 64, length, got);
        assert_memory_equal(got, wanted, 64);
    }
}

/* Digits times their weights are the scalar again, for every width and at the bounds of scalars. */
static void digits_sum_to_the_scalar(void **state)
{
    (void)state;
    struct case_random random = {6};
    struct big one = big_of(1), order = big_order(), last = big_subtract(order, &one);
    for (unsigned width = TABLE_WIDTH_MIN; width <= TABLE_WIDTH_MAX; width++) {
        struct window_shape shape = window_shape(width);
        assert_true(shape.windows <= TABLE_WINDOWS_MAX);
        for (unsigned i = 0; i < 50; i++) {
            uint8_t bytes[32], wide[64];
            struct scalar k;
            case_random_fill(&random, wide, sizeof wide);
            k = scalar_reduce(wide);
            if (i == 0)
                memset(&k, 0, sizeof k);
            if (i == 1) {
                big_to_bytes(&last, bytes);
                assert_true(scalar_from_bytes(bytes, &k));
            }
            uint64_t recoded[4];
            table_recode(&shape, &k, recoded);
            struct big plus = big_of(0), minus = big_of(0);
            for (unsigned w = 0; w < shape.windows; w++) {
                int digit = table_digit(&shape, recoded, w);
                uint32_t size = digit < 0 ? (uint32_t)-digit : (uint32_t)digit;
                assert_true(w + 1 == shape.windows ? digit >= 0 && size <= 1u << shape.top : size < shape.stride);
                struct big part = big_of(size);
                part = big_shift(&part, w * width);
                if (digit < 0)
                    minus = big_add(minus, &part);
                else
                    plus = big_add(plus, &part);
            }
            struct big sum = big_subtract(plus, &minus);
            big_to_bytes(&sum, bytes);
            assert_memory_equal(bytes, k.word, 32);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_and_sums_follow_the_model),
        cmocka_unit_test(bytes_come_and_go),
        cmocka_unit_test(inverses_multiply_to_one),
        cmocka_unit_test(wide_numbers_reduce_modulo_the_order),
        cmocka_unit_test(only_scalars_below_the_order_are_taken),
        cmocka_unit_test(hashes_are_libsodiums),
        cmocka_unit_test(digits_sum_to_the_scalar),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
