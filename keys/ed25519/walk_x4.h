/* S B + h (-A) for four signatures side by side. Only for files compiled for AVX2 and FMA. */
#pragma once

#include "keys/ed25519/field_fma.h"
#include "keys/ed25519/table.h"

#define LANES 4
#define STEPS_MAX (2 * TABLE_WINDOWS_MAX)

/* One addition in each lane: where the entries stand. A negative digit takes y + x for y - x and the other way round,
 * and has its 2 d x y negated. */
struct step {
    uint64_t plus[LANES], minus[LANES], entry[LANES];
    uint64_t sign[LANES]; /* bit 63 */
};

/* The additions of one group, all known before the first. */
struct walk {
    unsigned count;
    unsigned parts; /* lanes that a signature takes: 1, 2 or 4 */
    struct step steps[STEPS_MAX];
};

/* What an encoding is made of, reduced. */
struct affine4 {
    struct field4 x, y, z;
};

/* One table in each lane, all of one shape: appends the additions that the recoded scalars ask for. */
void walk_append_x4(struct walk *walk, const struct window_shape *shape, const uint64_t tables[LANES],
                    const __m256i digits[4]);

/* Spreads the additions of the first `count` lanes, 1 or 2, over all four: lane l takes those of lane l modulo count in
 * turns with the lanes that do too, and at the end entries that add nothing, such as `zero` points to. Every lane's
 * additions must be those of lane l modulo count. */
void walk_spread_x4(struct walk *walk, unsigned count, const struct niels_packed *zero);

/* Asks for the entries that walk_sum_x4 expects to find under way. */
void walk_fetch_x4(const struct walk *walk);

/* The sum of a walk's entries, all windows of a base and a key; of a spread one, in every lane that it took. Meanwhile
 * fetches the first entries of the next walk, which may be the same one. */
void walk_sum_x4(const struct walk *walk, const struct walk *next, struct affine4 *sum);
